// The table of notes, and the log of what was done with them.

import { HttpError } from 'postfork';
import { db } from 'postfork/db';

export interface Note {
  /** bigint: the driver gives text. */
  id: string;
  text: string;
  author: string;
  created_at: Date;
}

export interface LogEntry {
  action: 'added' | 'deleted';
  text: string;
  author: string;
  at: Date;
}

const MAX_LENGTH = 500; // as the table's CHECK

/** The newest first, 100 at most. */
export async function listNotes(): Promise<Note[]> {
  const { rows } = await db.query<Note>(
    'SELECT id, text, author, created_at FROM example_notes ORDER BY id DESC LIMIT 100',
    [],
    { name: 'notes' },
  );
  return rows;
}

/** The last five. */
export async function listLog(): Promise<LogEntry[]> {
  const { rows } = await db.query<LogEntry>(
    'SELECT action, text, author, at FROM example_note_log ORDER BY id DESC LIMIT 5',
    [],
    { name: 'log of notes' },
  );
  return rows;
}

/** Rejects with HttpError 400 for a text that is empty, too long, or what PostgreSQL's text cannot hold. */
export async function addNote(text: string, author: string): Promise<void> {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > MAX_LENGTH || trimmed.includes('\0')) {
    throw new HttpError(400, `a note has 1 to ${MAX_LENGTH} characters`);
  }
  await db.transaction(async () => {
    await db.query('INSERT INTO example_notes (text, author) VALUES ($1, $2)', [trimmed, author], { name: 'add note' });
    await log('added', trimmed, author);
  });
}

/** Rejects with HttpError 404 where there is none. */
export async function deleteNote(id: string, author: string): Promise<void> {
  if (!/^\d{1,18}$/.test(id)) throw new HttpError(404);
  await db.transaction(async () => {
    const { rows } = await db.query<{ text: string }>('DELETE FROM example_notes WHERE id = $1 RETURNING text', [id], {
      name: 'delete note',
    });
    if (rows[0] === undefined) throw new HttpError(404);
    await log('deleted', rows[0].text, author);
  });
}

async function log(action: LogEntry['action'], text: string, author: string): Promise<void> {
  await db.query('INSERT INTO example_note_log (action, text, author) VALUES ($1, $2, $3)', [action, text, author], {
    name: 'log note',
  });
}
