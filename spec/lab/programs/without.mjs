// node --import: a machine without the program that WITHOUT names.

import { ChildProcess } from 'node:child_process';

const { spawn } = ChildProcess.prototype;
ChildProcess.prototype.spawn = function (options) {
  const { file } = options;
  return spawn.call(this, file === process.env.WITHOUT ? { ...options, file: `/nowhere/${file}` } : options);
};
