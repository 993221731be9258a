import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdpipe.base.errors import UserError
from jsdpipe.config.prompts import Prompt, prompt_id, read_prompts, to_prompt

texts = st.text(st.characters(codec="utf-8"), min_size=1)
# one line without control characters, as a file may hold it
lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text.strip() and not text.startswith("\ufeff")
)


@given(texts)
def test_an_id_is_a_safe_part_of_a_path(text):
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{8}", prompt_id(text))


@given(texts, texts)
def test_ids_tell_texts_apart(one, other):
    assert (prompt_id(one) == prompt_id(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("a red ball", "a-red-ball"),
        ('"; rm -rf $(HOME)/../x', "rm-rf-home-x"),
        ("Ein Café am Fluß", "ein-cafe-am-flu"),
        ("🍄🏠", "prompt"),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 2000, "x" * 40),
    ],
)
def test_an_id_by_hand(text, slug):
    assert prompt_id(text) == f"{slug}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:8]}"


@given(st.lists(lines, min_size=1, unique_by=str.strip), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_prompts_are_read_as_they_were_written(tmp_path_factory, prompts, newline, final):
    path = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    path.write_bytes((newline.join(prompts) + (newline if final else "")).encode())
    assert [prompt.text for prompt in read_prompts(path)] == [prompt.strip() for prompt in prompts]


def test_a_line_is_a_prompt_without_the_space_around_it():
    assert to_prompt("  a\tred ball\n") == Prompt(prompt_id("a\tred ball"), "a\tred ball")
    assert to_prompt("x" * 100_000).text == "x" * 100_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (" \t\n", "empty"),
        ("a\nb", r"U\+000A"),
        ("a\udc80", r"U\+DC80"),  # a byte that is no UTF-8, on the command line
    ],
)
def test_a_line_that_is_no_prompt(line, said):
    with pytest.raises(UserError, match=said):
        to_prompt(line)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n\nb\n", "line 2: empty"),
        (b"a\n \t\n", "line 2: empty"),
        (b"a\nb\n a \n", "line 3: .* line 1"),
        (b"a\nb\x00c\n", r"line 2: .*U\+0000"),
        ("a\u2028b\n".encode(), r"line 1: .*U\+2028"),
        (b"one\x0btwo\n", r"line 1: .*U\+000B"),
        (b"", "(?!line)"),
        (b"\n\n", "(?!line)"),
        (b"ab\xff\n", "not UTF-8 .*byte 2"),
        ("a\n".encode("utf-16"), "not UTF-8 .*byte 0"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, content, said):
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}: {said}"):
        read_prompts(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: "):
        read_prompts(tmp_path / "none.txt")
    with pytest.raises(UserError, match="jsdpipe prompts fetch t3bench"):
        read_prompts(tmp_path / "t3bench" / "prompt_single.txt")
    with pytest.raises(UserError, match=f"{tmp_path}: .*Is a directory"):
        read_prompts(tmp_path)
    with pytest.raises(UserError, match=r"a\\x00b: "):
        read_prompts(Path("a\0b"))


def test_the_package_s_own_prompts_are_found_anywhere_behind_those_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path("prompts/miniature/single.txt")
    assert read_prompts(own)[0].text == "a red mushroom"
    own.parent.mkdir(parents=True)
    own.write_text("mine\n")
    assert [prompt.text for prompt in read_prompts(own)] == ["mine"]
    for other in (own.with_name("none.txt"), Path("prompts/single.txt")):
        with pytest.raises(UserError, match=f"{other}: "):
            read_prompts(other)
