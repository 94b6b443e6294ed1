/** Message is one server-sent event. */
export interface Message {
  id: string;
  event: string;
  data: string;
}

/**
 * Reader turns the pieces of a text/event-stream into messages (HTML standard, "Server-sent events"). Comments give no
 * message; whoever feeds the reader knows that they came.
 */
export class Reader {
  private rest = '';
  private id = '';
  private event = '';
  private data: string[] = [];

  /** feed takes the next piece and gives the messages that it completes. */
  feed(piece: string): Message[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    const out: Message[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) out.push({ id: this.id, event: this.event || 'message', data: this.data.join('\n') });
        this.event = '';
        this.data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'id') this.id = value;
      if (field === 'event') this.event = value;
      if (field === 'data') this.data.push(value);
    }
    return out;
  }
}
