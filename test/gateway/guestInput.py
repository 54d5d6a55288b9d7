"""Says what the X server of a desktop gets: keys by name, buttons with their place."""
from Xlib import X, XK, display
from Xlib.ext import record
from Xlib.protocol import rq

names = {}
for name, keysym in vars(XK).items():
    if name.startswith('XK_'):
        names.setdefault(keysym, name[3:])
view, ear = display.Display(), display.Display()
verbs = {X.KeyPress: 'down', X.KeyRelease: 'up', X.ButtonPress: 'down', X.ButtonRelease: 'up'}


def say(reply):
    rest = reply.data
    while reply.category == record.FromServer and len(rest) > 0:
        event, rest = rq.EventField(None).parse_binary_value(rest, ear.display, None, None)
        if event.type in (X.KeyPress, X.KeyRelease):
            keysym = view.keycode_to_keysym(event.detail, 0)
            print(verbs[event.type], names.get(keysym, keysym), flush=True)
        elif event.type in verbs:
            print(verbs[event.type], 'button', event.detail, event.root_x, event.root_y, flush=True)


none = (0, 0)
context = ear.record_create_context(0, [record.AllClients], [{
    'core_requests': none, 'core_replies': none, 'ext_requests': none * 2, 'ext_replies': none * 2,
    'delivered_events': none, 'device_events': (X.KeyPress, X.ButtonRelease), 'errors': none,
    'client_started': False, 'client_died': False,
}])
print('listening', flush=True)
ear.record_enable_context(context, say)
