"""Pages of HTML, taken apart."""

from __future__ import annotations

import html.parser

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Elements(html.parser.HTMLParser):
    """Every element with its attributes, what it is in, and its text; ``open`` is empty for a sound page."""

    def __init__(self, text):
        super().__init__()
        self.all, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", "in": [each["tag"] for each in self.open], **dict(attributes)}
        self.all.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def of(self, *tags):
        return [element for element in self.all if element["tag"] in tags]
