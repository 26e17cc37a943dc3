"""Errors planted into mask cases must be seen, and files written from their entries must be the committed ones."""

import unittest

from golden.export.common.source import GOLDEN, Request, same_bytes
from golden.export.flamingo_mini.source import SOURCE as MINI
from golden.export.masks import source as masks

from .folders import copies

CASES = GOLDEN / "cases"
NAME = "otter-ai-0.0.0a8"


class Masks(unittest.TestCase):
    def fresh(self, change=lambda found: None, source=masks.SOURCE):
        """A folder with the entries of one source, as its export writes them, after `change`."""
        folder = copies(self)
        names = {entry["name"] for entry in source.entries}
        found = {name: value for name, value in masks.read(CASES / "masks").items() if name in names}
        change(found)
        masks.write(folder / "masks", found)
        return folder

    def failed(self, fresh, source=masks.SOURCE, only=("*",)):
        checks = source.compare(CASES, fresh, Request(out=fresh, only=only))
        return {check.name: check.complaints for check in checks if check.complaints}

    def test_both_sources_together_have_every_package_once(self):
        names = [entry["name"] for source in (masks.SOURCE, MINI) for entry in source.entries]
        self.assertEqual(sorted(names), sorted(entry["name"] for entry in masks.ENTRIES))
        self.assertEqual([entry["name"] for entry in MINI.entries], ["flamingo-mini"])

    def test_the_files_written_from_the_committed_entries_are_the_committed_files(self):
        folder = copies(self)
        masks.write(folder, masks.read(CASES / "masks"))
        self.assertTrue(all(same_bytes(CASES / "masks" / file, folder / file) for file in masks.FILES))

    def test_equal_entries_have_no_complaints(self):
        self.assertEqual(self.failed(self.fresh()), {})
        self.assertEqual(self.failed(self.fresh(source=MINI), MINI), {})

    def test_one_changed_row_is_a_complaint(self):
        def change(found):
            rows, entry = found[NAME]
            found[NAME] = rows | {"steps.2": rows["steps.2"].clone()}, entry
            found[NAME][0]["steps.2"][7] ^= 1

        failed = self.failed(self.fresh(change))
        self.assertEqual(failed[f"masks/{NAME}"], ["rows of steps.2 differ"])
        self.assertEqual(set(failed), {f"masks/{NAME}", "masks: the files"})

    def test_a_changed_field_is_a_complaint(self):
        def change(found):
            found[NAME] = found[NAME][0], found[NAME][1] | {"refuses": {}}

        self.assertEqual(self.failed(self.fresh(change))[f"masks/{NAME}"], ["refuses differs"])

    def test_a_package_that_was_not_exported_is_a_complaint(self):
        failed = self.failed(self.fresh(lambda found: found.pop(NAME)))
        self.assertEqual(failed[f"masks/{NAME}"], ["was not exported"])

    def test_a_package_with_other_groups_is_a_complaint(self):
        def change(found):
            rows, entry = found[NAME]
            rows = {group: value for group, value in rows.items() if group != "full.0"}
            found[NAME] = rows, entry | {"rows": dict.fromkeys(rows)}

        self.assertIn("other groups of rows", self.failed(self.fresh(change))[f"masks/{NAME}"])

    def test_a_pattern_limits_the_checks(self):
        checks = masks.SOURCE.compare(CASES, self.fresh(), Request(out=CASES, only=("masks/otter*",)))
        names = [f"masks/{NAME}", f"masks/{NAME}--attend-next", "masks: the files"]
        self.assertEqual([check.name for check in checks], names)
