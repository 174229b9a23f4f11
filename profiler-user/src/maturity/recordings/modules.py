import random, importlib, sys
core = ["json", "csv", "urllib.parse", "datetime"]
rare = sorted(n for n in sys.stdlib_module_names if not n.startswith("_") and n not in ("antigravity", "this", "idlelib", "turtle", "tkinter", "turtledemo"))
for name in core + random.sample(rare, random.choice([0, 0, 1, 1, 2, 5])):
    try: importlib.import_module(name)
    except Exception: pass
