// serveFiles(): a folder of files as a handler.

import type { AppHandler } from '../pipeline.ts';
import { sendFile, type SendFileOptions } from './send-file.ts';

export interface ServeFilesOptions extends Omit<SendFileOptions, 'root'> {
  /** The file that stands for a folder whose path ends with `/`, such as index.html. Default: none, folders are 404. */
  index?: string;
}

/**
 * Answers with the files below `root`, by what the route's `*` stands for:
 *
 *     app.get('/static/*', serveFiles('/srv/static', { headers: { 'Cache-Control': 'max-age=3600' } }));
 *
 * See sendFile for what it refuses.
 */
export function serveFiles(root: string, options: ServeFilesOptions = {}): AppHandler {
  const { index, ...others } = options;
  const settings: SendFileOptions = { ...others, root };
  return (request) => {
    const path = request.params['*'];
    if (path === undefined) throw new TypeError('serveFiles: give it a route that ends with /*');
    const isFolder = path === '' || path.endsWith('/');
    return sendFile(request, isFolder && index !== undefined ? path + index : path, settings);
  };
}
