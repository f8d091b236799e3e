// runWorker(): the program of a spawned worker's process.

import { Socket } from 'node:net';
import { DescriptorPipe } from '../descriptor-pipe.ts';
import { loadNative } from '../native.ts';
import type { WorkerProgram } from '../program.ts';
import { WorkerLife } from './worker-life.ts';
import { CHANNEL_SLOT, DESCRIPTORS_SLOT } from '../slots.ts';

/** Load, serve, leave when told to. What fails is told to the arbiter. */
export async function runWorker(program: WorkerProgram): Promise<void> {
  const channel = new Socket({ fd: CHANNEL_SLOT });
  const life = new WorkerLife(program, channel, () => new DescriptorPipe(loadNative(), DESCRIPTORS_SLOT));
  try {
    const settings = await life.settings();
    process.title = `postfork: worker ${settings.title}`;
    channel.unref(); // what loads is all that may keep this process
    await program.load(settings.program);
    channel.ref();
    await life.serve(settings);
  } catch (error) {
    life.fail(error);
  }
}
