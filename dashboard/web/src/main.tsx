import { render } from 'preact';
import './theme.css';
import './ui/ui.css';
import { App } from './App.tsx';
import { chooseLanguage } from './language.ts';
import { chooseLook } from './look.ts';
import { loadSession } from './session.ts';
import { noteMissingStyles } from './ui/loadPart.ts';

chooseLook();
noteMissingStyles();
const root = document.getElementById('app')!;
try {
  await Promise.all([chooseLanguage(), loadSession()]);
  render(<App />, root);
} catch {
  // Before the messages are there.
  root.textContent = 'The dashboard cannot be reached. Load this page again in a moment.';
}
