import { readConfig } from '@lebureau/kit/config';

const text = (value: string) => value;

const schema = {
  LEBUREAU_BASE_URL: {
    about: 'address of the API, e.g. http://127.0.0.1:7070',
    parse: (value: string) => {
      if (!/^https?:\/\//.test(value) || !URL.canParse(value)) throw new Error('wants an http or https address');
      return value;
    },
    fallback: 'http://127.0.0.1:7070',
  },
  LEBUREAU_API_KEY: { about: 'API key for stdio', parse: text, fallback: '', file: true },
  LEBUREAU_MCP_TOOLSETS: { about: 'toolsets, divided by commas', parse: text, fallback: 'all' },
  LEBUREAU_MCP_READ_ONLY: { about: 'true: only tools that change nothing', parse: text, fallback: 'false' },
  LEBUREAU_MCP_DESKTOP: { about: 'id of the one desktop to work on', parse: text, fallback: '' },
  LEBUREAU_MCP_LOCAL_ROOTS: {
    about: 'folders opened to upload and download, divided by colons',
    parse: text,
    fallback: '',
  },
} as const;

/** The variables of lb-mcp. @throws Error that lists every mistake. */
export function configFromEnvironment(environment: Record<string, string | undefined> = process.env) {
  return readConfig(environment, schema);
}
