// events/: server-sent events.

export type { EventSender, EventSink } from './event-queue.ts';
export { eventStream, type EventStreamOptions } from './event-stream.ts';
export type { ServerSentEvent } from './server-sent-event.ts';
