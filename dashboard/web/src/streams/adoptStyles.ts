let isAdopting = false;

/**
 * For a library that makes `<style>` elements, which the policy of our pages refuses anyway: what it writes into one becomes
 * a constructed style sheet, which no markup can bring in.
 */
export function adoptStyles(): void {
  if (isAdopting) return;
  isAdopting = true;
  const create = document.createElement.bind(document) as (
    tag: string,
    options?: ElementCreationOptions,
  ) => HTMLElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) =>
    tag === 'style' ? sheetElement(create) : create(tag, options)) as typeof document.createElement;
}

function sheetElement(create: (tag: string) => HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const element = create('span');
  element.hidden = true;
  Object.defineProperty(element, 'textContent', {
    set(text: string) {
      sheet.replaceSync(text);
    },
    get: () => '',
  });
  Object.defineProperty(element, 'appendChild', {
    value(text: Text) {
      sheet.replaceSync(text.data);
      return text;
    },
  });
  Object.defineProperty(element, 'remove', {
    value() {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
      Element.prototype.remove.call(element);
    },
  });
  return element;
}
