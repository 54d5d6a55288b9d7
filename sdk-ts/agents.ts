import * as anthropicCalls from './agents/anthropic.ts';
import * as geminiCalls from './agents/gemini.ts';
import * as openAICalls from './agents/openai.ts';
import { toAnthropicResults, toGeminiResponses, toOpenAIOutput } from './agents/results.ts';

/**
 * The computer tools of three vendors, each with all that its loop needs: `toBatch` of what the model called, `toResults`
 * of what came of it, and `fromAction` for one of our actions in the vendor's words.
 */

export const anthropic = { ...anthropicCalls, toResults: toAnthropicResults };
export const openai = { ...openAICalls, toResults: toOpenAIOutput };
export const gemini = { ...geminiCalls, toResults: toGeminiResponses };
