// files/: files as answers.

export { sendFile, type SendFileOptions, type SendfileHeader } from './send-file.ts';
export { serveFiles, type ServeFilesOptions } from './serve-files.ts';
