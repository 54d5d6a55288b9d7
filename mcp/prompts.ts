import { type McpServer, type StandardSchemaWithJSON, fromJsonSchema } from '@modelcontextprotocol/server';
import type { Settings } from './settings.ts';

interface TaskArgs {
  task: string;
}

const taskSchema: StandardSchemaWithJSON<TaskArgs> = fromJsonSchema<TaskArgs>({
  type: 'object',
  properties: { task: { type: 'string', description: 'What is to be done' } },
  required: ['task'],
} as never);

/** One prompt: a task for a desktop. */
export function addPrompts(server: McpServer, settings: Settings): void {
  const where =
    settings.desktopId === undefined ? 'a new desktop (desktops_create, ephemeral)' : `desktop ${settings.desktopId}`;
  server.registerPrompt(
    'use_desktop',
    {
      title: 'Do a task on a desktop',
      description: 'Work on a Linux desktop step by step, looking at the screen.',
      argsSchema: taskSchema,
    },
    ({ task }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: `Do this on ${where}: ${task}\nLook at the screen before you act and after it. Prefer the shell where it is enough. Say at the end what you did and how you know that it worked.`,
          },
        },
      ],
    }),
  );
}
