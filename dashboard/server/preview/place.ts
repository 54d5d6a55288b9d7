import { idBody, isId } from '@lebureau/kit/id';

/** One port of one desktop, as an origin of its own: `{port}-{desktop}.{domain}`. */
export interface Place {
  desktopId: string;
  port: number;
}

/** The names of all places, and which of them a host or an origin is. */
export class Places {
  readonly #scheme: string;
  /** Of every place, behind its own label: domain, and port of the listener where it is not the scheme's. */
  readonly host: string;

  constructor(domain: string, publicOrigin: string) {
    const { protocol, port } = new URL(publicOrigin);
    this.#scheme = protocol;
    this.host = port === '' ? domain : `${domain}:${port}`;
  }

  originOf({ desktopId, port }: Place): string {
    return `${this.#scheme}//${port}-${idBody(desktopId)}.${this.host}`;
  }

  /** @param host as the request names it. @returns undefined for what is no place, null for a name below the domain that means none */
  at(host: string | null): Place | null | undefined {
    const name = host?.toLowerCase();
    if (name === undefined || (name !== this.host && !name.endsWith(`.${this.host}`))) return undefined;
    const [, port, body] = /^([1-9]\d{0,4})-([0-9a-z]{26})\.$/.exec(name.slice(0, -this.host.length)) ?? [];
    const desktopId = `dsk_${body}`;
    return isId('dsk', desktopId) && Number(port) <= 65_535 ? { desktopId, port: Number(port) } : null;
  }

  /** @param text an origin, or a URL. @returns undefined when it is none of ours */
  ofUrl(text: string): Place | undefined {
    const url = URL.parse(text);
    return url?.protocol === this.#scheme ? (this.at(url.host) ?? undefined) : undefined;
  }
}
