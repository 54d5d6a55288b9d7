/** Where tests keep their rows. Undefined: SQLite in the folder of each test; the Postgres run sets it. */
export const testDatabase: { url: (() => Promise<string>) | undefined } = { url: undefined };
