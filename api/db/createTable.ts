import type { Kysely } from 'kysely';

type ColumnType = 'text' | 'bigint';
/** Column names with their type; a trailing `?` allows null. */
type Columns = Record<string, ColumnType>;

export async function createTable(db: Kysely<unknown>, table: string, columns: Columns): Promise<void> {
  let builder = db.schema.createTable(table);
  for (const [name, type] of Object.entries(columns)) {
    const optional = name.endsWith('?');
    builder = builder.addColumn(optional ? name.slice(0, -1) : name, type, (column) => {
      const typed = optional ? column : column.notNull();
      return name === 'id' ? typed.primaryKey() : typed;
    });
  }
  await builder.execute();
}

export async function index(
  db: Kysely<unknown>,
  name: string,
  on: { table: string; columns: string[]; unique?: boolean },
): Promise<void> {
  const builder = db.schema.createIndex(name).on(on.table).columns(on.columns);
  await (on.unique ? builder.unique() : builder).execute();
}
