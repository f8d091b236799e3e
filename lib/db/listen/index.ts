// listen/: LISTEN, and the notifications that come.

export { Listener } from './listener.ts';
export { Listening, type ListenOptions, type Notification } from './listening.ts';
