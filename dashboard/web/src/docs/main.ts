import { addCopyButtons } from '../code/addCopyButtons.ts';
import { addSearch } from './addSearch.ts';

addCopyButtons(document.querySelectorAll('main pre'));
addSearch(document.getElementById('search')!);
// Where the contents stand above the page they would hide it.
if (matchMedia('(max-width: 800px)').matches) document.querySelector('details.contents')!.removeAttribute('open');
