import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server';

interface Stored {
  id: string;
  streamId: string;
  message: JSONRPCMessage;
  chars: number;
}

const eventsMax = 32;
const charsMax = 1_000_000;

/** The last messages of one session, so that a client whose stream broke can take them up again. Bounded; the oldest go first. */
export class EventMemory implements EventStore {
  #events: Stored[] = [];
  #chars = 0;
  #count = 0;

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const id = `${streamId}_${(++this.#count).toString(36)}`;
    const chars = JSON.stringify(message).length;
    this.#events.push({ id, streamId, message, chars });
    this.#chars += chars;
    while (this.#events.length > 1 && (this.#events.length > eventsMax || this.#chars > charsMax)) {
      this.#chars -= this.#events.shift()?.chars ?? 0;
    }
    return id;
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#events.find((event) => event.id === eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = this.#events.findIndex((event) => event.id === lastEventId);
    const streamId = this.#events[at]?.streamId;
    if (streamId === undefined) throw new Error('That event is no longer kept');
    for (const event of this.#events.slice(at + 1)) {
      if (event.streamId === streamId && 'jsonrpc' in event.message) await send(event.id, event.message);
    }
    return streamId;
  }
}
