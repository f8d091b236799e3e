// DevWatch: tells when a source file below some folders changes.

import { existsSync, readdirSync, statSync, watch, type FSWatcher } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const MAX_FOLDERS = 4096;
const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx|json|node|wasm)$/;

export interface DevWatchEvents {
  /** A file is new, other or gone. */
  onChange(path: string): void;
  /** Some folders cannot be watched. */
  onTrouble(message: string): void;
}

/** The folder of a module's package, or its own where it has none. */
export function packageFolder(module: string): string {
  const own = dirname(resolve(module));
  for (let folder = own; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return own;
  }
}

/**
 * Each folder has a watcher of its own: recursive ones go into node_modules, and on Linux Node gives each file one. At most 4096
 * folders.
 */
export class DevWatch {
  readonly #events: DevWatchEvents;
  readonly #folders: Map<string, { watcher: FSWatcher; everything: boolean }> = new Map();
  #troubled = false;

  constructor(events: DevWatchEvents) {
    this.#events = events;
  }

  /** Watch a folder and those below it. `everything`: not only source files. Returns whether there are such files. */
  add(folder: string, everything = false): boolean {
    const known = this.#folders.get(folder);
    if (known !== undefined && (known.everything || !everything)) return false;
    this.#remove(folder);
    if (!this.#watch(folder, everything)) return false;
    let found = false;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (isIgnored(entry.name)) continue;
      if (entry.isDirectory()) found = this.add(join(folder, entry.name), everything) || found;
      else found ||= everything || SOURCE.test(entry.name);
    }
    return found;
  }

  close(): void {
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watch(folder: string, everything: boolean): boolean {
    try {
      if (this.#folders.size >= MAX_FOLDERS) throw new Error(`more than ${MAX_FOLDERS} folders`);
      const watcher = watch(folder, (_event, name) => this.#onEvent(folder, name));
      watcher.on('error', () => this.#remove(folder));
      this.#folders.set(folder, { watcher, everything });
      return true;
    } catch (error) {
      if (!this.#troubled) this.#events.onTrouble(`${folder} is not watched: ${(error as Error).message}`);
      this.#troubled = true;
      return false;
    }
  }

  #onEvent(folder: string, name: string | null): void {
    const everything = this.#folders.get(folder)?.everything ?? false;
    if (name === null || isIgnored(name)) return;
    const path = join(folder, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) {
      if (!this.#folders.has(path) && this.add(path, everything)) this.#events.onChange(path);
    } else if (stats === undefined && this.#folders.has(path)) {
      this.#remove(path);
      this.#events.onChange(path);
    } else if (everything || SOURCE.test(name)) this.#events.onChange(path);
  }

  /** With all below it. */
  #remove(folder: string): void {
    for (const [path, { watcher }] of this.#folders) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#folders.delete(path);
    }
  }
}

const isIgnored = (name: string): boolean => name === 'node_modules' || name.startsWith('.');
