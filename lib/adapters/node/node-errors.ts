// Errors with the codes and the words of Node's own servers and streams: programs ask for the code.

export function alreadyListens(): Error {
  return withCode('ERR_SERVER_ALREADY_LISTEN', 'Listen method has been called more than once without closing.');
}

export function notRunning(): Error {
  return withCode('ERR_SERVER_NOT_RUNNING', 'Server is not running.');
}

export function writeAfterEnd(): Error {
  return withCode('ERR_STREAM_WRITE_AFTER_END', 'write after end');
}

export function writeAfterDestroy(): Error {
  return withCode('ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed');
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
