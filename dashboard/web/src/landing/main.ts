import { addCopyButtons } from '../code/addCopyButtons.ts';

addCopyButtons(document.querySelectorAll('main pre'));
