/** The environment of the program that uses the SDK: empty in browsers. Node, Bun and Deno (with its permission) have one. */
interface Environment {
  process?: { env?: Record<string, string | undefined> };
}

const defaultBaseUrl = 'http://127.0.0.1:7070';

export interface ClientConfig {
  apiKey: string | undefined;
  baseUrl: string;
}

/** What `new LeBureau()` uses where nothing is given: `LEBUREAU_API_KEY` and `LEBUREAU_BASE_URL`. */
export function configFromEnvironment(): ClientConfig {
  const environment = (globalThis as Environment).process?.env ?? {};
  return {
    apiKey: environment.LEBUREAU_API_KEY || undefined,
    baseUrl: environment.LEBUREAU_BASE_URL || defaultBaseUrl,
  };
}
