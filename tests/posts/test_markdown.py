"""Markdown: what it makes of a text, and what no text can make it do."""

import html
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest

from src.posts.text.markdown import render_markdown
from tests.posts.support import change, write
from tests.support import Account

TAGS = {"a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img"} | {
    *("li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul")
}
ATTRIBUTES = {"href", "src", "alt", "title", "rel", "align", "start", "class"}
LANGUAGE = re.compile("language-[A-Za-z0-9+#-]+")
HOSTILE = [
    # Raw HTML
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.test/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)><embed src=javascript:alert(1)>",
    "<style>@import 'http://evil.test/x.css';</style>",
    "<p style='background:url(javascript:alert(1))' onclick=alert(1)>x</p>",
    "<base href=//evil.test><form action=//evil.test><input name=a autofocus onfocus=alert(1)>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'><link rel=stylesheet href=x>",
    "<a href='javascript:alert(1)'>x</a>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php <script>alert(1)</script> ?>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=`x`onerror=alert(1)",
    "</p></div></body><script>alert(1)//",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><img src=x>'>",
    "`<script>alert(1)</script>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    '```x"onclick="alert(1)\nx\n```',
    "```&quot;onclick=alert(1)\nx\n```",
    '<code class="a">x</code> <p class="language-c">x</p>',
    # Links and images
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript&colon;alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](%6aavascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x](ftp://evil.test)",
    "[x](blob:https://evil.test/1)",
    "[x](intent://evil.test#Intent;scheme=http;end)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](data:image/png;base64,iVBORw0KGgo=)",
    '![x](x "onerror=alert(1)")',
    '[x](x "\\" onmouseover=alert(1) y=\\"")',
    '[x](x "&quot; onmouseover=alert(1)")',
    '![x" onerror="alert(1)](y)',
    "[x](x' onclick='alert(1))",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x][y]\n\n[y]: <javascript:alert(1)> 'title'",
    "[a](<javascript:alert(1)>)",
    "[![x](javascript:alert(1))](javascript:alert(2))",
    "[<script>alert(1)</script>](https://x.test)",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    # Malformed
    "<" * 2000,
    "[" * 500 + "](javascript:alert(1))",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u2028<script>alert(1)</script>\ufeff",
    "<\uff53cript>alert(1)</\uff53cript>",
    "&#0;&#xD800;&#x110000;<b",
]


class Inspector(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.urls: list[str] = []
        self.links: list[dict[str, str | None]] = []
        self.classes: list[tuple[str, str | None]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.urls += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.classes += [(tag, value) for name, value in attrs if name == "class"]
        if tag == "a":
            self.links.append(dict(attrs))


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_the_html_acts(source: str) -> None:
    for text in (
        source,
        f"before\n\n{source}\n\nafter",
        f"> {source}",
        f"- {source}",
        f"# {source}",
    ):
        rendered = render_markdown(text)
        found = Inspector(rendered)
        assert found.tags <= TAGS, rendered
        assert found.attributes <= ATTRIBUTES, rendered
        for tag, value in found.classes:
            assert tag == "code", rendered
            assert LANGUAGE.fullmatch(value or ""), rendered
        for url in found.urls:
            plain = re.sub(r"[\x00-\x20]", "", html.unescape(url)).lower()
            assert urlsplit(plain).scheme in {"", "http", "https", "mailto"}, rendered
        assert "<!--" not in rendered


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("Hello", "<p>Hello</p>\n"),
        ("# A\n## B", "<h1>A</h1>\n<h2>B</h2>\n"),
        ("*a* **b** `c` ~~d~~", "<p><em>a</em> <strong>b</strong> <code>c</code> <s>d</s></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>\n'),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"),
        ("a  \nb", "<p>a<br>\nb</p>\n"),
        ("---", "<hr>\n"),
        ("<b>", "<p>&lt;b&gt;</p>\n"),
        ("1 < 2 & 3 > 2", "<p>1 &lt; 2 &amp; 3 &gt; 2</p>\n"),
        ("![x](https://x.test/a.png)", '<p><img src="https://x.test/a.png" alt="x"></p>\n'),
        ("[x](/relative)", '<p><a href="/relative" rel="{rel}">x</a></p>\n'),
        (
            "[x](https://x.test 'T')",
            '<p><a href="https://x.test" title="T" rel="{rel}">x</a></p>\n',
        ),
        ("<a@x.test>", '<p><a href="mailto:a@x.test" rel="{rel}">a@x.test</a></p>\n'),
    ],
)
def test_markdown_becomes_html(source: str, rendered: str) -> None:
    assert render_markdown(source) == rendered.format(rel="noopener noreferrer nofollow ugc")


def test_a_block_of_code_is_kept_as_it_is() -> None:
    rendered = render_markdown("```python\nif a < b:\n    '<script>'\n```")
    assert "if a &lt; b:\n    '&lt;script&gt;'\n" in rendered


@pytest.mark.parametrize("language", ["python", "c++", "C#", "objective-c"])
def test_a_block_of_code_says_its_language(language: str) -> None:
    for source in (f"```{language}\nx\n```", f"~~~ {language} title='x'\nx\n~~~"):
        found = Inspector(render_markdown(source))
        assert found.classes == [("code", f"language-{language}")]


@pytest.mark.parametrize("language", ["", "asp.net", "язык", "a_b", "a/b", "{.x}", "é"])
def test_what_is_no_name_of_a_language_is_no_class(language: str) -> None:
    rendered = render_markdown(f"```{language}\nx\n```")
    assert rendered == "<pre><code>x\n</code></pre>\n"


def test_an_entity_does_not_override_the_direction_of_a_text() -> None:
    html = render_markdown('&#x202e;txt.exe&#8237; [a](https://x.test "&#x202E;b")')
    assert not {"\u202d", "\u202e"} & set(html)
    assert "txt.exe" in html


def test_every_link_is_marked_as_foreign() -> None:
    rendered = render_markdown("[a](https://a.test) <https://b.test>")
    links = Inspector(rendered).links
    assert len(links) == 2
    for link in links:
        assert set((link["rel"] or "").split()) >= {"noopener", "noreferrer", "nofollow", "ugc"}


async def test_the_stored_html_is_the_sanitised_one(
    client: httpx.AsyncClient, ann: Account
) -> None:
    hostile = "\n\n".join(text for text in HOSTILE[:-6] if "\x01" not in text)
    post = await write(client, ann, body=hostile)
    changed = await change(client, ann, await write(client, ann), body=hostile)
    assert post["body"] == hostile
    assert post["body_html"] == changed["body_html"] == render_markdown(hostile)
    assert Inspector(post["body_html"]).tags <= TAGS


@pytest.mark.parametrize(
    "source",
    [
        "[a]: https://a.test/" + "b" * 5000 + "\n\n" + "[a] " * 1000,
        "[a](b)" * 2000,
        "![a](b)" * 2000,
        "|a" * 200 + "\n" + "|-" * 200 + "\n" + "|\n" * 2000,
        "<" * 5000,
    ],
    ids=["reference definitions", "links", "images", "table", "escapes"],
)
def test_html_does_not_outgrow_its_source(source: str) -> None:
    assert len(render_markdown(source)) < 12 * len(source)
