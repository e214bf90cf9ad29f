"""circusd's configuration files, section by section as they are written.

Circus's own parser joins sections of one name, of all files, and keeps the first value of each key
(circus/util.py, `StrictConfigParser._read`): what a second section lists would be dropped silently.
"""

from __future__ import annotations

import configparser
import io

from circus.config import DefaultConfigParser, read_config

from unicorn_handover.host.sections import Section, sections_of
from unicorn_handover.model.options import names_in


def sections_named(name: str, config_file: str) -> list[Section]:
    """Return all sections of that name in a configuration file and those it includes."""
    try:
        paths = read_config(config_file)[1]
    except (OSError, ValueError, configparser.Error):  # it may be anything by now
        return []
    sections = [section for path in dict.fromkeys(paths) for section in sections_of(path)]
    return [section for section in sections if section.name == name]


def watchers(section: Section) -> list[str]:
    """The names, in lower case, that the key `watchers` lists."""
    parser = DefaultConfigParser()
    try:
        parser.read_file(io.StringIO(section.text))
        return names_in(parser.dget(section.name, "watchers", "").lower())
    except configparser.Error:
        return []
