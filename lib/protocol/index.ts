// protocol/: FastCGI 1.0 on the wire, pure. What the other folders and users import.

export * from './bodies.ts';
export * from './constants.ts';
export { encodePairs, NameValues, PairReader, type PairLimits } from './name-values.ts';
export { ProtocolError, type ProtocolErrorCode } from './protocol-error.ts';
export { RecordParser, type OnRecord, type Side } from './record-parser.ts';
export * from './record-writer.ts';
