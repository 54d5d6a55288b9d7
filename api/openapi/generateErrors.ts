import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem, problems } from '../http/problems.ts';

/** Writes docs/errors.md from the closed list of codes; with `--check` only says whether it agrees. */
const path = join(import.meta.dir, '..', '..', 'docs', 'errors.md');
const rows = Object.entries(problems as Record<string, Problem>)
  .toSorted(([, a], [, b]) => a.status - b.status)
  .map(
    ([code, each]) =>
      `| \`${code}\` | ${each.status} | ${each.title} | ${each.hint.replaceAll('|', '\\|')} | ${each.retryable ? 'yes' : ''} |`,
  );
const page = `# Errors

Every error is \`application/problem+json\` (RFC 9457) with \`code\`, \`title\`, \`status\`, \`detail\`, \`hint\`, \`requestId\`, \`retryable\`, and where the
request was malformed \`errors: [{pointer, code, message}]\`. The list is closed: \`openapi/public.json\` carries it as an enum, the SDK has a class for each.
What the cause was stands in the log of the service beside the \`requestId\`, never in the answer.

| code | status | what happened | what to do | try again |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;

if (process.argv.includes('--check')) {
  let agrees: boolean;
  try {
    agrees = readFileSync(path, 'utf8') === page;
  } catch {
    agrees = false;
  }
  console.log(
    agrees ? 'docs/errors.md agrees with the codes' : 'docs/errors.md differs from the codes. Run: npm run generate',
  );
  process.exit(agrees ? 0 : 1);
}
writeFileSync(path, page);
