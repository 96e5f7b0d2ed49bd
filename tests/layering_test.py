#!/usr/bin/env python3
"""The rules of the house that a compiler does not check.

    layering_test.py            checks the tree this file stands in
    layering_test.py --self     plants one violation after the other in a small tree
                                and wants each to be found, and nothing else

Who may include whom, who may name OpenMP and BLAS, no floating-point licence, a
README in every folder, every op declared, written and tested, no file too long.
"""

import re
import sys
import tempfile
from pathlib import Path

MAY_INCLUDE = {
    "core": {"core"},
    "nn": {"core", "nn"},
    "quant": {"core", "nn", "optim", "quant"},
    "optim": {"core", "optim"},
    "data": {"core", "data"},
    "models": {"core", "nn", "quant", "optim", "data", "models"},
    "tools": {"core", "nn", "quant", "optim", "data", "models", "tools"},
    "tests": {"core", "nn", "quant", "optim", "data", "models", "tools", "tests"},
}

# pattern, the files that may, what to say
RESERVED = [
    (r"#\s*pragma\s+omp|\bomp\.h\b|GOMP_|\bomp_[a-z]\w*\s*\(", ("core/parallel.cpp", "tests/core/openmp_test.cpp"),
     "OpenMP"),
    (r"\bcblas", ("core/blas.cpp",), "BLAS"),
    (r"\breduction\s*\(", (), "reduction("),
]
FAST_MATH = r"fast-math|Ofast|unsafe-math|associative-math|fp-contract=(?:fast|on)"

FILE_NOTE, FILE_LIMIT, FUNCTION_NOTE = 300, 400, 40


def without_comments(text):
    """Comments blanked out, lines and strings kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''

    def blank(match):
        found = match.group()
        return re.sub(r"[^\n]", " ", found) if found.startswith("/") else found

    return re.sub(pattern, blank, text, flags=re.S)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_includes(path, text, failures):
    layer = path.parts[0]
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', text, re.M):
        quote, name = match.groups()
        where = f"{path}:{line_of(text, match.start())}"
        target = name.split("/")[0]
        if target in MAY_INCLUDE and "/" in name:
            if quote == "<":
                failures.append(f'{where}: <{name}> is ours; include it as "{name}"')
            elif target not in MAY_INCLUDE[layer]:
                failures.append(f"{where}: {layer} may not include {target}: {name}")
        elif quote == '"':
            failures.append(f'{where}: "{name}" does not start at the root')


def check_reserved(path, text, failures):
    for pattern, owners, what in RESERVED:
        if str(path) in owners:
            continue
        for match in re.finditer(pattern, text):
            only = f"; only {' and '.join(owners)} may" if owners else ""
            failures.append(f"{path}:{line_of(text, match.start())}: uses {what}{only}")


def long_functions(text):
    """(first line, length) of each function body over FUNCTION_NOTE lines, for formatted code."""
    bare = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    bare = re.sub(r"'(?:\\.|[^'\\\n])+'", "' '", bare)
    bare = re.sub(r"^[ \t]*#.*$", "", bare, flags=re.M)
    stack, start, head = [], 0, ""
    for position, character in enumerate(bare):
        if character in ";}":
            head = ""
        elif character == "{":
            outside = all(kind == "scope" for kind, _ in stack)
            scope = re.search(r"\b(namespace|class|struct|enum|union|extern)\b[^()]*$", head)
            kind = "scope" if scope else "body" if ")" in head and outside else "inner"
            stack.append((kind, start))
            head = ""
        else:
            if not head.strip():
                start = position
            head += character
        if character == "}" and stack:
            kind, begin = stack.pop()
            first, length = line_of(bare, begin), bare.count("\n", begin, position) + 1
            if kind == "body" and length > FUNCTION_NOTE:
                yield first, length


def check_sizes(path, text, code, failures, notes):
    lines = text.count("\n")
    if lines > FILE_LIMIT:
        failures.append(f"{path}: {lines} lines; at most {FILE_LIMIT}, better {FILE_NOTE}")
    elif lines > FILE_NOTE:
        notes.append(f"{path}: {lines} lines; better at most {FILE_NOTE}")
    for first, length in long_functions(code):
        notes.append(f"{path}:{first}: a function of {length} lines; better {FUNCTION_NOTE}")


def op_list(root, folder, variable, failures):
    build = root / folder / "meson.build"
    text = build.read_text() if build.exists() else ""
    match = re.search(rf"^{variable}\s*=\s*\[(.*?)\]", text, re.M | re.S)
    if not match:
        failures.append(f"{folder}/meson.build: no list {variable}")
        return []
    return re.findall(r"'(\w+)'", match.group(1))


def check_ops(root, folder, variable, failures):
    names = op_list(root, folder, variable, failures)
    table = root / folder / "ops.hpp"
    declared = without_comments(table.read_text()) if table.exists() else ""
    for name in names:
        for needed in (f"{folder}/ops/{name}.cpp", f"tests/ops/{name}_test.cpp"):
            if not (root / needed).exists():
                failures.append(f"op {name}: {needed} is missing")
            elif "_test" in needed and "TEST_CASE" not in (root / needed).read_text():
                failures.append(f"op {name}: {needed} tests nothing")
        if not re.search(rf"\bVar\s+{name}\s*\(", declared):
            failures.append(f"op {name}: not declared in {folder}/ops.hpp")
    for source in sorted((root / folder / "ops").glob("*.cpp")):
        if source.stem not in names:
            failures.append(f"{source.relative_to(root)}: not in {variable} of {folder}/meson.build")


def check_readmes(root, failures):
    for layer in sorted(MAY_INCLUDE):
        for folder in [root / layer, *sorted((root / layer).rglob("*"))]:
            inside_tests = folder.relative_to(root).parts[0] == "tests" and folder != root / "tests"
            if not folder.is_dir() or folder.name == "__pycache__" or inside_tests:
                continue  # tests/README.md speaks for what mirrors the tree
            if any(f.is_file() for f in folder.iterdir()) and not (folder / "README.md").exists():
                failures.append(f"{folder.relative_to(root)}: no README.md")


def check_tree(root):
    failures, notes = [], []
    sources = [f for layer in MAY_INCLUDE for f in sorted((root / layer).rglob("*.[ch]pp"))]
    for source in sources:
        path, text = source.relative_to(root), source.read_text()
        code = without_comments(text)
        check_includes(path, code, failures)
        check_reserved(path, code, failures)
        check_sizes(path, text, code, failures, notes)
        for match in re.finditer(FAST_MATH, code):
            failures.append(f"{path}:{line_of(code, match.start())}: {match.group()}")
    for build in [root / "meson.build", *(root / layer / "meson.build" for layer in MAY_INCLUDE)]:
        text = re.sub(r"#[^\n]*", "", build.read_text()) if build.exists() else ""
        for match in re.finditer(FAST_MATH, text):
            # The kernels say so themselves, and are one set of bits per instruction set.
            line = text[text.rfind("\n", 0, match.start()) : text.find("\n", match.end())]
            if match.group() == "fp-contract=fast" and "FRAQAT_KERNELS" in line:
                continue
            where = f"{build.relative_to(root)}:{line_of(text, match.start())}"
            failures.append(f"{where}: {match.group()}")
    check_ops(root, "core", "op_names", failures)
    check_ops(root, "quant", "quant_op_names", failures)
    check_readmes(root, failures)
    return len(sources), failures, notes


GOOD = {
    "meson.build": "add_project_arguments('-ffp-contract=off')  # never fast-math\n",
    "core/meson.build": "op_names = [\n  'clip',\n]\n",
    "core/ops.hpp": "// cblas and #pragma omp in a comment\nVar clip(const Var& x);\n",
    "core/ops/clip.cpp": '#include "core/ops.hpp"\n',
    "core/parallel.cpp": "void GOMP_parallel();\n",
    "core/blas.cpp": "#include <cblas.h>\n",
    "nn/module.hpp": '#include "core/ops.hpp"\n#include <vector>\n',
    "quant/meson.build": "quant_op_names = ['fake_quant']\n",
    "quant/ops.hpp": "Var fake_quant(const Var& x);\n",
    "quant/ops/fake_quant.cpp": '#include "nn/module.hpp"\n#include "optim/optimizer.hpp"\n',
    "optim/optimizer.hpp": '#include "core/ops.hpp"\n',
    "data/idx.cpp": '#include "core/ops.hpp"\n',
    "models/models.hpp": '#include "quant/ops.hpp"\n#include "data/data.hpp"\n',
    "tools/main.cpp": '#include "models/models.hpp"\n',
    "tests/ops/clip_test.cpp": '#include "tools/main.hpp"\nTEST_CASE()\n',
    "tests/ops/fake_quant_test.cpp": "TEST_CASE() {\n" + "  f();\n" * 38 + "}\n",
    **{f"{folder}/README.md": "\n" for folder in [*MAY_INCLUDE, "core/ops", "quant/ops"]},
}

# file, its new text (None: removed), what the one complaint must contain
PLANTED = [
    ("core/a.cpp", '#include "nn/module.hpp"\n', "core/a.cpp:1: core may not include nn"),
    ("nn/a.cpp", '\n#include "quant/ops.hpp"\n', "nn/a.cpp:2: nn may not include quant"),
    ("nn/a.cpp", '#include "optim/optimizer.hpp"\n', "nn may not include optim"),
    ("quant/a.cpp", '  # include "data/idx.hpp"\n', "quant may not include data"),
    ("quant/deploy/a.hpp", '#include "models/models.hpp"\n', "quant may not include models"),
    ("optim/a.cpp", '#include "nn/module.hpp"\n', "optim may not include nn"),
    ("data/a.cpp", '#include "optim/optimizer.hpp"\n', "data may not include optim"),
    ("models/a.cpp", '#include "tools/main.hpp"\n', "models may not include tools"),
    ("tools/a.cpp", '#include "tests/support/op_test.hpp"\n', "tools may not include tests"),
    ("core/a.cpp", '#include "ops.hpp"\n', "does not start at the root"),
    ("nn/a.cpp", "#include <core/ops.hpp>\n", "is ours"),
    ("core/a.cpp", "#pragma omp parallel for\n", "core/a.cpp:1: uses OpenMP"),
    ("tests/a.cpp", "#include <omp.h>\n", "uses OpenMP"),
    ("models/a.cpp", "int n = omp_get_max_threads();\n", "uses OpenMP"),
    ("core/a.cpp", "void GOMP_barrier();\n", "uses OpenMP"),
    ("nn/a.cpp", "void f() { cblas_sgemv(); }\n", "uses BLAS"),
    ("core/parallel.cpp", "// x\nvoid f() /* reduction(+) */ { reduction(+ : s); }\n", "reduction("),
    ("meson.build", "add_project_arguments('-ffast-math')\n", "fast-math"),
    ("core/a.cpp", '__attribute__((optimize("unsafe-math-optimizations")))\n', "unsafe-math"),
    ("nn/a.cpp", "\n" * 401, "401 lines"),
    ("data/README.md", None, "data: no README.md"),
    ("core/ops/README.md", None, "core/ops: no README.md"),
    ("core/ops/clip.cpp", None, "core/ops/clip.cpp is missing"),
    ("tests/ops/fake_quant_test.cpp", None, "tests/ops/fake_quant_test.cpp is missing"),
    ("tests/ops/clip_test.cpp", '#include "core/ops.hpp"\n', "clip_test.cpp tests nothing"),
    ("core/ops.hpp", "// Var clip(const Var& x);\n", "not declared in core/ops.hpp"),
    ("core/ops/mul.cpp", "\n", "core/ops/mul.cpp: not in op_names"),
    ("core/meson.build", "\n", "no list op_names"),
]

# file, its new text, what the one note must contain
NOTED = [
    ("nn/a.cpp", "\n" * 301, "301 lines"),
    ("nn/a.cpp", "struct A {\n  int f(int a) {\n" + "    g();\n" * 39 + "  }\n};\n", "of 41 lines"),
]


def check_planted(change, expected, noted):
    """What is wrong with the verdict on the good tree with one change; None if nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **change}.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
        if "quant/deploy/a.hpp" in change:
            Path(folder, "quant/deploy/README.md").touch()
        _, failures, notes = check_tree(Path(folder))
    if "core/meson.build" in change:  # then its one op is no longer in any list
        failures = [f for f in failures if "not in op_names" not in f]
    found, other = (notes, failures) if noted else (failures, notes)
    wanted = 1 if expected else 0
    if len(found) == wanted and not other and all(expected in f for f in found):
        return None
    return f"{change or 'the good tree'}: expected [{expected}]; got {failures + notes}"


def self_test():
    cases = [({}, "", False)]
    cases += [({name: text}, expected, False) for name, text, expected in PLANTED]
    cases += [({name: text}, expected, True) for name, text, expected in NOTED]
    wrong = [w for w in (check_planted(*case) for case in cases) if w]
    for text in wrong:
        print(text)
    print(f"{len(cases) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self"]:
        return self_test()
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    count, failures, notes = check_tree(root)
    for note in notes:
        print(f"note: {note}")
    for failure in failures:
        print(failure)
    if count == 0:
        failures.append("no sources")
    print(f"{max(count - len(failures), 0)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
