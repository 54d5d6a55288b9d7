/**
 * Runs in the guest: `python3 -c … TEXT TIMEOUT_MS`. Exit code 0 and the text found in on stdout, 3 when time is over.
 * Looks at names and at the first 20,000 characters of editable text, of what shows on the screen.
 */
export const findTextSource = `
import sys, time
import gi
gi.require_version('Atspi', '2.0')
from gi.repository import Atspi
wanted, end = sys.argv[1].lower(), time.monotonic() + int(sys.argv[2]) / 1000
Atspi.init()
Atspi.set_timeout(800, 3000)

def texts(node):
    yield node.get_name() or ''
    try:
        if 'Text' in node.get_interfaces():
            yield Atspi.Text.get_text(node, 0, min(20000, Atspi.Text.get_character_count(node))) or ''
    except Exception:
        pass

def look():
    desktop = Atspi.get_desktop(0)
    queue = [desktop.get_child_at_index(i) for i in range(desktop.get_child_count())]
    seen = 0
    while queue and seen < 5000 and time.monotonic() < end:
        node = queue.pop(0)
        seen += 1
        if node is None:
            continue
        try:
            for text in texts(node):
                at = text.lower().find(wanted)
                if at >= 0:
                    return text[max(0, at - 60):at + len(wanted) + 60]
            queue.extend(node.get_child_at_index(i) for i in range(min(500, node.get_child_count())))
        except Exception:
            continue
    return None

while True:
    found = look()
    if found is not None:
        print(' '.join(found.split()))
        sys.exit(0)
    if time.monotonic() >= end:
        sys.exit(3)
    time.sleep(0.3)
`;
