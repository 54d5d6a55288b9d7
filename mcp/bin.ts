#!/usr/bin/env bun
import { main } from './main.ts';

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`lb-mcp: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
