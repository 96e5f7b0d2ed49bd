"""read_report.py PAGE...: complains unless each page is well formed and complete in itself."""

import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}
FORBIDDEN = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "foreignobject"}
NAMESPACE = "http://www.w3.org/2000/svg"


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.count = [], [], {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag in FORBIDDEN:
            self.wrong.append(f"<{tag}>")
        if tag not in VOID:
            self.open.append(tag)
        names = [name for name, _ in attributes]
        if len(set(names)) != len(names):
            self.wrong.append(f"<{tag}> has an attribute twice: {names}")
        for name, value in attributes:
            if name.startswith("on") or name in ("src", "href"):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r"):
                if not re.fullmatch(r"-?\d+(\.\d+)?", value or ""):
                    self.wrong.append(f"<{tag} {name}={value!r}>")
            if name in ("width", "height") and (value or "").startswith("-"):
                self.wrong.append(f"<{tag} {name}={value!r}>")
        if tag == "svg" and not {"role", "aria-label"} <= set(names):
            self.wrong.append("<svg> without role or label")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")



def faults(path):
    text = open(path, encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    if page.open:
        page.wrong.append(f"never closed: {page.open}")
    for address in re.findall(r"(?:https?:)?//[\w.][^\s\"'<>]*|url\(|@import", text):
        if address != NAMESPACE:
            page.wrong.append(f"refers to {address}")
    for tag in ("html", "head", "body", "main", "title", "h1"):
        if tag != "title" and page.count.get(tag) != 1:
            page.wrong.append(f"{page.count.get(tag, 0)} <{tag}>")
    return page.wrong


wrong = [fault for path in sys.argv[1:] for fault in faults(path)]
print("\n".join(wrong) or "fine")
sys.exit(1 if wrong else 0)
