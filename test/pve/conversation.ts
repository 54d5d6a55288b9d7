import { openPveDouble, type PveDouble } from './double.ts';
import type { Json, JsonObject } from './api/reference.ts';
import type { Reply } from './api/dispatch.ts';
import type { Version } from './world/state.ts';

type Who = 'desk' | 'admin' | 'nobody';

/** A double that is asked without a wire, and its answers as one line each. */
export class Conversation implements AsyncDisposable {
  private constructor(readonly double: PveDouble) {}

  /** With VM 4101, a linked clone of the template that does not run. */
  static async open(version: Version): Promise<Conversation> {
    const double = await openPveDouble({ version, plain: true, pace: 0.001 });
    const conversation = new Conversation(double);
    await conversation.clone(4101, 'desk-1');
    return conversation;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.double.close();
  }

  get vm(): string {
    return `/nodes/${this.double.node}/qemu/4101`;
  }

  async clone(newid: number, name: string): Promise<void> {
    const template = `/nodes/${this.double.node}/qemu/${this.double.templateId}`;
    await this.task(`POST ${template}/clone`, { newid, name, full: 0, pool: 'desks' });
  }

  async reply(line: string, params: Record<string, Json> = {}, who: Who = 'desk'): Promise<Reply> {
    const [method = 'GET', path = ''] = line.split(' ');
    const authorization = `PVEAPIToken=${this.double.tokens[who]}`;
    return this.double.dispatcher.handle({ method, path, params, authorization });
  }

  async data(line: string, params: Record<string, Json> = {}, who: Who = 'desk'): Promise<Json> {
    const { body } = await this.reply(line, params, who);
    return ((body as JsonObject | null)?.data ?? null) as Json;
  }

  /** `200`, `500 its words`, or `400 name: text` for each parameter. */
  async says(line: string, params: Record<string, Json> = {}, who: Who = 'desk'): Promise<string> {
    const { status, reason, body } = await this.reply(line, params, who);
    const errors = (body as JsonObject | null)?.errors as Record<string, string> | undefined;
    if (errors === undefined) return status === 200 ? '200' : `${status} ${reason}`;
    const texts = Object.entries(errors).map(([name, text]) => `${name}: ${text}`);
    return `${status} ${texts.toSorted().join(' | ')}`;
  }

  /** Starts a task and waits for it. @returns its log. */
  async task(line: string, params: Record<string, Json> = {}, who: Who = 'desk'): Promise<string[]> {
    const { status, reason, body } = await this.reply(line, params, who);
    const upid = String((body as JsonObject | null)?.data);
    if (status !== 200 || !upid.startsWith('UPID:')) throw new Error(`${line}: ${status} ${reason} ${upid}`);
    for (let tries = 0; tries < 2000; tries++) {
      const task = this.double.state.tasks[upid];
      if (task?.exitstatus !== undefined) return task.log;
      await Bun.sleep(2);
    }
    throw new Error(`the task does not end: ${upid}`);
  }
}
