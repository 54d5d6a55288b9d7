import { Fault, isFault } from '@lebureau/kit/fault';
import type { CoordinateMap } from '../input/coordinates.ts';
import * as keyboard from './keyboardSteps.ts';
import * as look from './lookSteps.ts';
import * as pointer from './pointerSteps.ts';
import type { Action, ActionName, Prepare, Step } from './types.ts';

const table: { [Name in ActionName]: Prepare<Name> } = {
  screenshot: look.screenshot,
  zoom: look.zoom,
  move: pointer.move,
  click: pointer.click,
  mouseDown: pointer.mouseDown,
  mouseUp: pointer.mouseUp,
  drag: pointer.drag,
  scroll: pointer.scroll,
  type: keyboard.type,
  key: keyboard.key,
  holdKey: keyboard.holdKey,
  keyDown: keyboard.keyDown,
  keyUp: keyboard.keyUp,
  wait: look.wait,
  waitUntil: look.waitUntil,
  cursorPosition: look.cursorPosition,
  openUrl: look.openUrl,
};

/**
 * Checks the whole batch before anything of it is done.
 * @throws Fault that names the action: `out_of_bounds`, `unknown_key`, `invalid_request`.
 */
export function prepareActions(actions: readonly Action[], map: CoordinateMap): Step[] {
  return actions.map((action, index) => {
    try {
      return (table[action.action] as Prepare<ActionName>)(action, map);
    } catch (error) {
      if (!isFault(error)) throw error;
      const members = { ...error.extra.members, actionIndex: index };
      throw new Fault(error.code, `actions[${index}] (${action.action}): ${error.message}`, {
        ...error.extra,
        members,
      });
    }
  });
}
