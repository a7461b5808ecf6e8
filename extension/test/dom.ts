// A page for what needs one; first in every bundle, before anything looks for a window.
import { JSDOM } from 'jsdom';

const dom = new JSDOM('<!doctype html><html><body></body></html>', { url: 'http://127.0.0.1/user/lab', pretendToBeVisual: true });
const names = [
  'window', 'document', 'HTMLElement', 'Element', 'Node', 'Event', 'KeyboardEvent', 'MouseEvent', 'CustomEvent', 'DOMParser',
  'DragEvent', 'getComputedStyle', 'requestAnimationFrame', 'cancelAnimationFrame', 'MutationObserver', 'sessionStorage',
  'localStorage', 'navigator', 'WebSocket', 'HTMLTextAreaElement', 'HTMLInputElement', 'HTMLButtonElement', 'SVGElement', 'Text', 'Range', 'location'
];
const target = globalThis as unknown as Record<string, unknown>;
const source = dom.window as unknown as Record<string, unknown>;
for (const name of names) {
  Object.defineProperty(target, name, { value: source[name], configurable: true, writable: true });
}
class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
target.ResizeObserver = Observer;
target.IntersectionObserver = Observer;
target.DragEvent = target.DragEvent ?? target.MouseEvent;
target.IS_REACT_ACT_ENVIRONMENT = true;
// JSDOM's own abort and fetch classes do not know node's: node's are used throughout.
