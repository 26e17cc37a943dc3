"""Coverage: what is missing fails the export, and a source's section of COVERAGE.md is written and compared alone."""

import types
import unittest

from golden.export.common.cases import coverage

from .folders import copies


class Released:
    def __init__(self, dim, heads=8):
        pass


def source(**wanted):
    return types.SimpleNamespace(package="a", classes={"Released": Released}, wanted={"features": {"Released": ["Gradients"]}, **wanted})


def case(name, flags=(), **config):
    return {"id": f"a/released--{name}", "source": {"class": "Released"}, "config": config, "flags": list(flags)}


COMPLETE = [case("one", ["Gradients"], dim=8), case("two", dim=4, heads=2)]


class Coverage(unittest.TestCase):
    def test_a_complete_set_of_cases_makes_a_section(self):
        text = coverage.section(source(), COMPLETE)
        self.assertTrue(text.startswith("## a: 2 cases\n"))
        self.assertIn("| `heads` | 8 | one |", text)
        self.assertIn("| Gradients | one |", text)

    def test_a_feature_that_no_case_shows_fails(self):
        with self.assertRaisesRegex(SystemExit, "Released: no case with Gradients"):
            coverage.section(source(), [case("one", dim=8), case("two", dim=4, heads=2)])

    def test_an_argument_that_never_varies_fails_unless_it_is_excused(self):
        cases = [case("one", ["Gradients"], dim=8), case("two", dim=4)]
        with self.assertRaisesRegex(SystemExit, "Released: heads takes one value only"):
            coverage.section(source(), cases)
        excused = coverage.section(source(notVaried={"Released": {"heads": "a place"}}), cases)
        self.assertIn("not varied: a place", excused)

    def test_a_mask_feature_is_needed_in_both_modes(self):
        masked = source(masked=["Released"], mask=["LeadingText"])
        cases = [*COMPLETE, case("mask", ["Immediate", "LeadingText"], dim=8)]
        with self.assertRaisesRegex(SystemExit, "no case with AllPrevious and LeadingText"):
            coverage.section(masked, cases)

    def test_a_known_defect_without_a_case_fails(self):
        with self.assertRaisesRegex(SystemExit, "no case for known defect 1"):
            coverage.section(source(defects={"title": "Known defects", "numbers": [1]}), COMPLETE)

    def test_a_section_replaces_that_of_its_source_alone(self):
        folder = copies(self, "COVERAGE.md")
        path = folder / "COVERAGE.md"
        before = coverage.sections(path)
        coverage.write(path, "a", "## a: 2 cases\n\nall\n")
        self.assertEqual(coverage.sections(path), before | {"a": "## a: 2 cases\n\nall\n"})
        self.assertEqual(list(coverage.sections(path))[0], "a")
        coverage.write(path, "a", "## a: 3 cases\n")
        self.assertEqual(coverage.sections(path), before | {"a": "## a: 3 cases\n"})

    def test_the_committed_file_is_what_its_sections_make(self):
        folder = copies(self, "COVERAGE.md")
        path = folder / "COVERAGE.md"
        text = path.read_text()
        for package, section in coverage.sections(path).items():
            coverage.write(path, package, section)
        self.assertEqual(path.read_text(), text)

    def test_a_changed_or_absent_section_is_a_complaint(self):
        old, new = copies(self, "COVERAGE.md"), copies(self, "COVERAGE.md")
        self.assertEqual(coverage.check(old, new, "vit-pytorch").complaints, [])
        coverage.write(new / "COVERAGE.md", "vit-pytorch", "## vit-pytorch: 0 cases\n")
        self.assertEqual(coverage.check(old, new, "vit-pytorch").complaints, ["differs"])
        self.assertEqual(coverage.check(old, new, "flamingo-pytorch").complaints, [])
        self.assertEqual(coverage.check(old, new, "absent").complaints, ["differs"])
