"""A brand's own templates: replaced one by one, boxed in, and never the reason that a mail is lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import RenderError
from bridge.render import Rendered, Renderer
from bridge.render.templates import TemplateFault, Templates, folder
from bridge.report.values import MailKind
from tests.render import reading, samples


def made(files: dict[str, str], root: Path, kind: MailKind = MailKind.DELIVERED) -> Rendered:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    brand = replace(samples.CLINIC, templates=str(root))
    name = "summary" if kind is MailKind.SUMMARY else "delivered"
    return samples.renderer(brand).render(*samples.every()[name])


def test_a_brand_replaces_one_file_and_keeps_the_others(tmp_path: Path) -> None:
    rendered = made({"delivered/subject.txt": "Arrived at {{ number }}"}, tmp_path)
    assert rendered.faults == ()
    assert rendered.subject == "Arrived at +61 421 000 001"
    assert "Your SMS" in reading.part(rendered.raw, "text/plain")


def test_a_brand_may_change_a_part_or_lay_out_its_own_page(tmp_path: Path) -> None:
    rendered = made(
        {
            "parts/ours.html": "<tr><td>We wrote: {{ text|lines }}</td></tr>",
            "delivered/body.txt": "{% for d in details %}{{ loop.index }}{{ d.label|upper }} {% endfor %}",
        },
        tmp_path,
    )
    assert rendered.faults == ()
    assert "We wrote: Hello Kim" in reading.seen(rendered.html)
    assert "LENGTH 2PRICE" in reading.part(rendered.raw, "text/plain")


def test_a_brands_template_escapes_like_ours(tmp_path: Path) -> None:
    (tmp_path / "delivered").mkdir()
    (tmp_path / "delivered/body.html").write_text("<p title='{{ text }}'>{{ text }}</p>")
    brand = replace(samples.CLINIC, templates=str(tmp_path))
    sms = samples.sms(text="'><script>x</script>")
    rendered = samples.renderer(brand).render(samples.outbox(MailKind.DELIVERED), None, (sms,))
    assert rendered.faults == ()
    assert "script" not in [tag for tag, _ in reading.shape(rendered.html)]


BROKEN = {
    "syntax": "{% if %}",
    "unknown name": "{{ nothing_of_this_name }}",
    "unknown attribute": "{% for d in details %}{{ d.price }}{% endfor %}",
    "python": "{{ ''.__class__.__mro__ }}",
    "private": "{% for d in details %}{{ d.__class__ }}{% endfor %}",
    "call": "{{ text.upper() }}",
    "range": "{% for i in range(9) %}x{% endfor %}",
    "filter": "{{ text|safe }}",
    "centre": "{{ text|center(999999999) }}",
    "unescaped": "{% autoescape false %}{{ text }}{% endautoescape %}",
    "macro": "{% macro m() %}x{% endmacro %}",
    "set": "{% set a = text ~ text %}",
    "power": "{{ 9 ** 999999999 }}",
    "loop in loop": "{% for d in details %}{% for e in details %}x{% endfor %}{% endfor %}",
    "block in loop": "{% for c in text %}{% block x %}{% endblock %}{% endfor %}",
    "join of joins": "{{ (text|join(text))|join(text|join(text))|length }}",
    "join of a few long texts": "{{ details|join('" + "x" * 190_000 + "', 'label')|length }}",
    "join of no list": "{{ 1|join }}",
    "include in loop": "{% for d in details %}{% include 'parts/facts.html' %}{% endfor %}",
    "recursive": "{% for d in details recursive %}x{% endfor %}",
    "climbing": "{% include '../../../etc/passwd' %}",
    "computed include": "{% include text %}",
    "missing": "{% include 'parts/gone.html' %}",
    "itself": "{% extends 'delivered/body.html' %}",
    "import": "{% import 'base.html' as x %}",
    "many includes": "{% include 'parts/facts.html' %}" * 21,
    "another kind": "{% include 'failed/body.html' %}",
    "too long": "x" * 200_001,
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_template_of_a_brand_falls_back_to_ours_and_is_told(tmp_path: Path, name: str) -> None:
    rendered = made({"delivered/body.html": BROKEN[name]}, tmp_path)
    assert len(rendered.faults) == 1
    assert rendered.faults[0].startswith("template delivered/body.html: ")
    assert "\n" not in rendered.faults[0]
    assert len(rendered.faults[0]) < 300
    assert "Medicare" not in rendered.faults[0]
    assert reading.seen(rendered.html).count("Delivered to") == 1


@pytest.mark.parametrize(
    "source",
    ["{% if %}", "{{ text.upper() }}", "{{ ''.__class__ }}", "{{ no_such_name }}", "{{ 1|join }}", "\udcff"],
)
def test_the_fault_names_the_file_that_the_operator_wrote(tmp_path: Path, source: str) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/facts.html").write_bytes(source.encode("utf-8", "surrogateescape"))
    (fault,) = made({}, tmp_path).faults
    assert fault.startswith("template parts/facts.html: ")


def test_a_part_may_include_nothing_so_that_files_cannot_multiply_each_other(tmp_path: Path) -> None:
    rendered = made({"parts/ours.html": "{% include 'parts/facts.html' %}"}, tmp_path)
    assert "may include nothing" in rendered.faults[0]


def test_blocks_cannot_put_loops_into_loops_over_several_files(tmp_path: Path) -> None:
    loop = "{% for c in text %}{% block NAME %}{% endblock %}{% endfor %}"
    rendered = made(
        {
            "a.html": loop.replace("NAME", "one"),
            "b.html": "{% extends 'a.html' %}{% block one %}"
            + loop.replace("NAME", "two")
            + "{% endblock %}",
            "delivered/body.html": "{% extends 'b.html' %}{% block two %}{% for c in text %}{% endfor %}{% endblock %}",
        },
        tmp_path,
    )
    assert rendered.faults == ("template b.html: line 1: a loop may hold no loop, block or include",)


def test_a_join_writes_what_is_joined_and_escapes_it(tmp_path: Path) -> None:
    rendered = made({"delivered/body.html": "<p>{{ details|join(' <> ', 'label') }}</p>"}, tmp_path)
    assert rendered.faults == ()
    assert "Length &lt;&gt; Price &lt;&gt; " in rendered.html


def test_a_template_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    rendered = made(
        {"delivered/body.html": "{% for d in details %}" + "y" * 90_000 + "{% endfor %}"}, tmp_path
    )
    assert "writes more than" in rendered.faults[0]


def test_the_text_of_an_sms_cannot_be_put_into_a_subject(tmp_path: Path) -> None:
    rendered = made({"delivered/subject.txt": "{{ text }}"}, tmp_path)
    assert "text" in rendered.faults[0]
    assert rendered.subject == "Re: Your appointment"


def test_a_subject_of_several_lines_is_one_line(tmp_path: Path) -> None:
    rendered = made({"delivered/subject.txt": "a\nBcc: x@y.example\n\nb"}, tmp_path)
    assert rendered.subject == "a Bcc: x@y.example b"
    assert "Bcc" not in reading.names(rendered.raw)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "delivered").mkdir()
    (tmp_path / "delivered/body.html").write_bytes(b"\xff\xfe")
    assert "body.html" in made({}, tmp_path).faults[0]


def test_a_page_that_cannot_be_made_small_is_no_mail(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="cannot be made shorter"):
        made({"delivered/body.html": "y" * 150_000}, tmp_path)


def test_a_logo_that_mails_cannot_show_is_left_out_and_told() -> None:
    for logo, words in ((b"<svg/>", "neither PNG"), (samples.png() + b"x" * 40_000, "at most 40,000")):
        brand = replace(samples.CLINIC, logo=logo)
        rendered = samples.renderer(brand).render(*samples.every()["delivered"])
        assert words in rendered.faults[0]
        assert "cid:" not in rendered.html
        assert "Riverside Clinic" in reading.seen(rendered.html)


@pytest.mark.parametrize(("octets", "kind"), [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif")])
def test_jpeg_and_gif_logos_travel_too(octets: bytes, kind: str) -> None:
    rendered = samples.renderer(replace(samples.CLINIC, logo=octets)).render(*samples.every()["delivered"])
    assert kind in [part.get_content_type() for part in reading.parsed(rendered.raw).walk()]


def test_our_own_templates_broken_are_a_clear_error(tmp_path: Path) -> None:
    mails = Renderer(
        {"default": samples.PLAIN}, domain="sms.local", instance="i", local=samples.local, ours=tmp_path
    )
    with pytest.raises(RenderError, match="there is no file"):
        mails.render(*samples.every()["delivered"])
    brand = replace(samples.PLAIN, templates=str(tmp_path / "own"))
    mails = Renderer({"default": brand}, domain="sms.local", instance="i", local=samples.local, ours=tmp_path)
    with pytest.raises(RenderError, match="there is no file"):
        mails.render(*samples.every()["delivered"])


def test_every_kind_has_its_three_templates_and_they_obey_the_rules_of_brands() -> None:
    for kind in MailKind:
        if kind is not MailKind.POSTMASTER:
            for file in ("subject.txt", "body.txt", "body.html"):
                assert (folder() / kind / file).is_file()
    mails = samples.renderer(*(replace(b, templates=str(folder())) for b in (samples.PLAIN, samples.CLINIC)))
    for sample in samples.every().values():
        assert mails.render(*sample).faults == ()


@pytest.mark.parametrize("name", ["../x.txt", "/etc/passwd", "a/b/c.txt", "x.py"])
def test_names_outside_the_folder_are_no_templates(name: str) -> None:
    with pytest.raises(TemplateFault):
        Templates().render(name, {})
