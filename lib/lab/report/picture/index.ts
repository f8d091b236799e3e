// picture/: who held which connection over time, drawn and told.

export { pictures } from './pictures.ts';
