/**
 * Every key by its X keysym name, keysym (X11/keysymdef.h) and the other names that people, toolkits and models use.
 * Names are compared in lower case without `_`, `-` and spaces.
 */
export interface KeyRow {
  name: string;
  keysym: number;
  aliases: readonly string[];
  /** Held during other keys. */
  modifier?: true;
}

const row = (name: string, keysym: number, ...aliases: string[]): KeyRow => ({ name, keysym, aliases });
const modifier = (name: string, keysym: number, ...aliases: string[]): KeyRow => ({
  name,
  keysym,
  aliases,
  modifier: true,
});

const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const functionKeys = Array.from({ length: 24 }, (_, index) => row(`F${index + 1}`, 0xffbe + index));
const keypadDigits = digits.map((digit) => row(`KP_${digit}`, 0xffb0 + digit, `Numpad${digit}`, `num${digit}`));
const digitKeys = digits.map((digit) => row(String(digit), 0x30 + digit, `Digit${digit}`));
const letterKeys = Array.from({ length: 26 }, (_, index) => {
  const letter = String.fromCharCode(0x61 + index);
  return row(letter, 0x61 + index, `Key${letter.toUpperCase()}`);
});

export const keyTable: readonly KeyRow[] = [
  modifier('Shift_L', 0xffe1, 'Shift', 'ShiftLeft'),
  modifier('Shift_R', 0xffe2, 'ShiftRight'),
  modifier('Control_L', 0xffe3, 'Control', 'Ctrl', 'Ctl', 'ControlLeft', 'CtrlLeft', 'LCtrl', 'ControlOrMeta'),
  modifier('Control_R', 0xffe4, 'ControlRight', 'CtrlRight', 'RCtrl'),
  modifier('Alt_L', 0xffe9, 'Alt', 'AltLeft', 'Option', 'Opt', 'LAlt'),
  modifier('Alt_R', 0xffea, 'AltRight', 'RAlt'),
  modifier('ISO_Level3_Shift', 0xfe03, 'AltGr', 'AltGraph', 'Level3Shift'),
  modifier('Meta_L', 0xffe7),
  modifier('Meta_R', 0xffe8),
  modifier(
    'Super_L',
    0xffeb,
    ...['Super', 'Meta', 'MetaLeft', 'Cmd', 'Command', 'Win', 'Windows', 'WinLeft', 'LWin', 'OS', 'OSLeft', 'Start'],
  ),
  modifier('Super_R', 0xffec, 'MetaRight', 'CmdRight', 'WinRight', 'RWin', 'OSRight'),
  modifier('Hyper_L', 0xffed, 'Hyper'),
  row('Caps_Lock', 0xffe5, 'Caps'),
  row('Num_Lock', 0xff7f),
  row('Scroll_Lock', 0xff14),
  row('Return', 0xff0d, 'Enter', 'CR', 'Ret', '\n', '\r'),
  row('KP_Enter', 0xff8d, 'NumpadEnter'),
  row('Tab', 0xff09, '\t'),
  row('ISO_Left_Tab', 0xfe20, 'BackTab'),
  row('space', 0x20, 'Spacebar', ' '),
  row('BackSpace', 0xff08, 'Back', 'BS', 'BkSp'),
  row('Delete', 0xffff, 'Del', 'ForwardDelete'),
  row('Insert', 0xff63, 'Ins'),
  row('Escape', 0xff1b, 'Esc'),
  row('Home', 0xff50, 'MoveHome'),
  row('End', 0xff57),
  row('Page_Up', 0xff55, 'PgUp', 'Prior', 'PageU'),
  row('Page_Down', 0xff56, 'PgDn', 'PgDown', 'Next'),
  row('Left', 0xff51, 'ArrowLeft', 'LeftArrow'),
  row('Up', 0xff52, 'ArrowUp', 'UpArrow'),
  row('Right', 0xff53, 'ArrowRight', 'RightArrow'),
  row('Down', 0xff54, 'ArrowDown', 'DownArrow'),
  row('Print', 0xff61, 'PrintScreen', 'PrtSc', 'PrtScn', 'SysRq'),
  row('Pause', 0xff13, 'Break'),
  row('Menu', 0xff67, 'ContextMenu', 'Apps'),
  row('Help', 0xff6a),
  row('Cancel', 0xff69),
  row('Undo', 0xff65),
  row('Redo', 0xff66),
  row('Find', 0xff68),
  row('Select', 0xff60),
  row('Multi_key', 0xff20, 'Compose'),
  row('minus', 0x2d, 'Hyphen', 'Dash'),
  row('plus', 0x2b, 'Add'),
  row('equal', 0x3d, 'Equals'),
  row('comma', 0x2c),
  row('period', 0x2e, 'Dot', 'FullStop'),
  row('slash', 0x2f),
  row('backslash', 0x5c),
  row('semicolon', 0x3b),
  row('colon', 0x3a),
  row('apostrophe', 0x27, 'Quote', 'SingleQuote', 'quoteright'),
  row('quotedbl', 0x22, 'DoubleQuote'),
  row('grave', 0x60, 'Backquote', 'Backtick', 'quoteleft'),
  row('asciitilde', 0x7e, 'Tilde'),
  row('bracketleft', 0x5b, 'LeftBracket'),
  row('bracketright', 0x5d, 'RightBracket'),
  row('braceleft', 0x7b),
  row('braceright', 0x7d),
  row('parenleft', 0x28),
  row('parenright', 0x29),
  row('less', 0x3c, 'IntlBackslash'),
  row('greater', 0x3e),
  row('bar', 0x7c, 'Pipe'),
  row('ampersand', 0x26),
  row('asterisk', 0x2a, 'Star'),
  row('at', 0x40),
  row('numbersign', 0x23, 'Hash'),
  row('dollar', 0x24),
  row('percent', 0x25),
  row('asciicircum', 0x5e, 'Caret'),
  row('underscore', 0x5f),
  row('exclam', 0x21, 'Exclamation'),
  row('question', 0x3f),
  row('EuroSign', 0x20ac, 'Euro'),
  row('KP_Add', 0xffab, 'NumpadAdd'),
  row('KP_Subtract', 0xffad, 'NumpadSubtract', 'Subtract'),
  row('KP_Multiply', 0xffaa, 'NumpadMultiply', 'Multiply'),
  row('KP_Divide', 0xffaf, 'NumpadDivide', 'Divide'),
  row('KP_Decimal', 0xffae, 'NumpadDecimal', 'Decimal'),
  row('KP_Equal', 0xffbd, 'NumpadEqual'),
  row('XF86AudioMute', 0x1008ff12, 'AudioVolumeMute', 'VolumeMute', 'Mute'),
  row('XF86AudioLowerVolume', 0x1008ff11, 'AudioVolumeDown', 'VolumeDown'),
  row('XF86AudioRaiseVolume', 0x1008ff13, 'AudioVolumeUp', 'VolumeUp'),
  row('XF86AudioPlay', 0x1008ff14, 'MediaPlayPause', 'PlayPause'),
  row('XF86AudioNext', 0x1008ff17, 'MediaTrackNext'),
  row('XF86AudioPrev', 0x1008ff16, 'MediaTrackPrevious'),
  row('XF86Back', 0x1008ff26, 'BrowserBack'),
  row('XF86Forward', 0x1008ff27, 'BrowserForward'),
  row('XF86Reload', 0x1008ff73, 'BrowserRefresh'),
  ...functionKeys,
  ...keypadDigits,
  ...digitKeys,
  ...letterKeys,
];
