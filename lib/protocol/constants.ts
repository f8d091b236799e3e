// FastCGI 1.0 constants (specification sections 3.3, 4, 5 and 8).

/** The only protocol version there is (3.3). */
export const VERSION = 1;

/** Bytes of a record's header (3.3). */
export const HEADER_LENGTH = 8;

/** The most content bytes one record can carry: contentLength is 16 bits (3.3). */
export const MAX_CONTENT_LENGTH = 65_535;

/** The most padding bytes one record can carry: paddingLength is 8 bits (3.3). */
export const MAX_PADDING_LENGTH = 255;

/** The highest request id: 16 bits (3.3). */
export const MAX_REQUEST_ID = 65_535;

/** The request id of management records (3.3). */
export const NULL_REQUEST_ID = 0;

/** Record types (8). */
export const BEGIN_REQUEST = 1;
export const ABORT_REQUEST = 2;
export const END_REQUEST = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;
export const DATA = 8;
export const GET_VALUES = 9;
export const GET_VALUES_RESULT = 10;
export const UNKNOWN_TYPE = 11;

/** Roles in BEGIN_REQUEST (5.1). */
export const RESPONDER = 1;
export const AUTHORIZER = 2;
export const FILTER = 3;

/** The flag in BEGIN_REQUEST that asks to keep the connection open after the request (5.1). */
export const KEEP_CONN = 1;

/** protocolStatus in END_REQUEST (5.5). */
export const REQUEST_COMPLETE = 0;
export const CANT_MPX_CONN = 1;
export const OVERLOADED = 2;
export const UNKNOWN_ROLE = 3;

/** The variables GET_VALUES may ask for (4.1). */
export const MAX_CONNS = 'FCGI_MAX_CONNS';
export const MAX_REQS = 'FCGI_MAX_REQS';
export const MPXS_CONNS = 'FCGI_MPXS_CONNS';

const RECORD_NAMES = [
  '',
  'BEGIN_REQUEST',
  'ABORT_REQUEST',
  'END_REQUEST',
  'PARAMS',
  'STDIN',
  'STDOUT',
  'STDERR',
  'DATA',
  'GET_VALUES',
  'GET_VALUES_RESULT',
  'UNKNOWN_TYPE',
];

/** The specification's name of a record type, or `type N` for one it does not define. */
export function recordName(type: number): string {
  return RECORD_NAMES[type] || `type ${type}`;
}
