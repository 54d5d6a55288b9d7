let isAdopting = false;

/** `style` attributes that a library sets become properties of the element, which the policy of our pages allows. */
export function adoptInlineStyles(): void {
  if (isAdopting) return;
  isAdopting = true;
  // Called with the element as `this`, below.
  // oxlint-disable-next-line typescript/unbound-method
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(this: Element, name: string, value: string) {
    if (name === 'style' && (this instanceof HTMLElement || this instanceof SVGElement)) this.style.cssText = value;
    else set.call(this, name, value);
  };
}
