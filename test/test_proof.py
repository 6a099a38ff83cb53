"""The parts of `npm run galv`; the whole of it runs by itself, with the stand-in application."""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest
from proof import compatibility, isolation
from proof.checkout import Backend
from proof.client import multipart
from proof.command import main, parser
from proof.frontend import Frontend, pack
from proof.release import json_of
from proof.report import FAILED, PASSED, SKIPPED, Report, Skip
from proof.templates import CDN_OF_API, DATABASE, Assembly, asset_file
from templates import Json

IMPORTED = {"Fn::ImportValue": "galv-Backend:Media"}


def assembly(folder: Path, *templates: Json) -> Assembly:
    """An assembly of these templates."""
    artifacts = {}
    for number, template in enumerate(templates):
        name = f"stack-{number}"
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://123456789012/eu-west-2",
            "properties": {"templateFile": f"{name}.template.json"},
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return Assembly(folder)


def container(**members: object) -> Json:
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ContainerDefinitions": [{"Name": "web", **members}]},
    }


BACKEND: Json = {
    "Resources": {
        "Media": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "StaticAssets": {"Type": "AWS::CloudFront::Distribution", "Properties": {}},
        "Database": {"Type": "AWS::RDS::DBInstance", "Properties": {}},
        "Login": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "GenerateSecretString": {
                    "ExcludeCharacters": "abc%",
                    "PasswordLength": 400,
                    "SecretStringTemplate": '{"username":"owner"}',
                }
            },
        },
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {"SecretId": {"Ref": "Login"}},
        },
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"CidrBlock": "10.0.64.0/19"}},
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [{"Ref": "Subnet"}]}}
            },
        },
        "Web": container(
            Environment=[
                {"Name": "BUCKET", "Value": {"Ref": "Media"}},
                {"Name": "HOST", "Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}},
                {"Name": "CDN", "Value": {"Fn::GetAtt": ["StaticAssets", "DomainName"]}},
                {"Name": "MAIL", "Value": {"Fn::Join": ["", ["m.", {"Ref": "AWS::Region"}]]}},
                {"Name": "TEXT", "Value": {"Fn::Sub": "${AWS::Region}/${Media.DomainName}"}},
                {"Name": "PART", "Value": {"Fn::Select": [1, {"Fn::Split": ["-", "a-b"]}]}},
            ],
            Secrets=[
                {
                    "Name": key.upper(),
                    "ValueFrom": {"Fn::Join": ["", [{"Ref": "Attachment"}, f":{key}::"]]},
                }
                for key in ("username", "password")
            ],
        ),
    },
    "Outputs": {
        "Media": {
            "Value": {"Fn::GetAtt": ["Media", "RegionalDomainName"]},
            "Export": {"Name": "galv-Backend:Media"},
        }
    },
}


class TestAssembly:
    def test_refuses_a_folder_without_one(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"is no cloud assembly, it has no manifest.json"):
            Assembly(tmp_path)

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("BUCKET", "galv-media"),
            ("HOST", DATABASE),
            ("CDN", CDN_OF_API),
            ("MAIL", "m.eu-west-2"),
            ("TEXT", "eu-west-2/galv-media.s3.amazonaws.com"),
            ("PART", "b"),
            ("MISSING", None),
        ],
    )
    def test_resolves_variables(self, tmp_path: Path, variable: str, value: str | None) -> None:
        assert assembly(tmp_path, BACKEND).variable("web", variable) == value

    def test_resolves_what_another_stack_exports(self, tmp_path: Path) -> None:
        other = {"Resources": {"Other": {"Type": "X", "Properties": {"Name": IMPORTED}}}}

        ((_, properties),) = assembly(tmp_path, BACKEND, other).of_type("X")

        assert properties["Name"] == "galv-media.s3.eu-west-2.amazonaws.com"

    def test_generates_each_secret_once_as_the_template_asks(self, tmp_path: Path) -> None:
        made = assembly(tmp_path, BACKEND)
        task = made.task("web")
        assert task is not None

        found = made.secrets_of(task)

        assert found == made.secrets_of(task)
        assert found["USERNAME"] == made.database_user == "owner"
        assert len(found["PASSWORD"]) == 400
        assert not set(found["PASSWORD"]) & set("abc%")
        assert set(found["PASSWORD"]) & set("!'\"")

    def test_takes_an_address_in_the_tasks_subnet(self, tmp_path: Path) -> None:
        assert assembly(tmp_path, BACKEND).task_address() == "10.0.64.10"

    def test_knows_no_other_task(self, tmp_path: Path) -> None:
        assert assembly(tmp_path, BACKEND).task("setup-db") is None


def test_an_asset_of_an_earlier_synthesis_is_left_alone(tmp_path: Path) -> None:
    for name in ("asset.0a1b", "asset.2c3d", "asset.4e5f"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "build_site.py").touch()
    files = {"2c3d": {"source": {"path": "asset.2c3d", "packaging": "zip"}}}
    (tmp_path / "A.assets.json").write_text(json.dumps({"files": files}))

    assert asset_file(tmp_path, "build_site.py") == tmp_path / "asset.2c3d/build_site.py"


class TestBackend:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "backend_django/config").mkdir(parents=True)
        (tmp_path / "backend_django/manage.py").touch()
        (tmp_path / "requirements.txt").write_text("Django==5.0.3\n")
        settings = 'import os\nAPI_VERSION = "2.11.4"\n'
        (tmp_path / "backend_django/config/settings_base.py").write_text(settings)
        return tmp_path

    def test_names_its_version(self, folder: Path) -> None:
        backend = Backend(folder=folder)

        backend.check(is_installed=False)
        assert backend.version == "2.11.4"
        assert backend.application == folder / "backend_django"

    def test_without_a_version(self, folder: Path) -> None:
        (folder / "backend_django/config/settings_base.py").write_text("")

        assert Backend(folder=folder).version == "unknown"

    @pytest.mark.parametrize("name", ["requirements.txt", "backend_django/manage.py"])
    def test_refuses_another_folder(self, folder: Path, name: str) -> None:
        (folder / name).unlink()

        with pytest.raises(ValueError, match=f"is no galv-backend, it has no {name}"):
            Backend(folder=folder).check(is_installed=False)

    def test_needs_no_requirements_where_an_environment_has_them(self, folder: Path) -> None:
        (folder / "requirements.txt").unlink()

        Backend(folder=folder).check(is_installed=True)

    def test_the_stand_in_of_the_tests_is_one(self) -> None:
        Backend(folder=Path(__file__).parent / "galv").check(is_installed=True)

    def test_has_the_date_of_its_newest_commit(self, folder: Path) -> None:
        assert Backend(folder=folder).date is None

        git = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.com"]
        for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=m"]):
            subprocess.run([*git, *command], check=True)

        date = Backend(folder=folder).date
        assert date is not None
        assert dt.datetime.fromisoformat(date.replace("Z", "+00:00")).tzinfo


class TestFrontend:
    def test_refuses_a_folder_without_a_site(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"neither index.html nor package.json"):
            Frontend(path=tmp_path).check()

    def test_takes_files_that_are_built(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").touch()
        site = Frontend(path=tmp_path)

        site.check()
        assert site.files(tmp_path, {}, tmp_path) == tmp_path
        assert site.how == "built before"

    def test_names_the_version_of_sources(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").touch()
        (tmp_path / "package.json").write_text('{"version": "2.2.0"}')
        site = Frontend(path=tmp_path)

        assert site.version == "2.2.0"
        assert site.how == "built by the steps of the build"

    def test_unpacks_an_archive_with_a_folder_too_many(self, tmp_path: Path) -> None:
        source = tmp_path / "in/build"
        source.mkdir(parents=True)
        (source / "index.html").write_text("page")
        archive = tmp_path / "frontend-2.3.0.tar.gz"
        subprocess.run(["tar", "-czf", archive, "-C", tmp_path / "in", "."], check=True)
        (tmp_path / "out").mkdir()
        site = Frontend(path=archive)

        site.check()
        assert (site.files(tmp_path, {}, tmp_path / "out") / "index.html").read_text() == "page"
        assert site.version == "2.3.0"

    def test_says_that_the_assembly_builds_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "package.json").write_text('{"version": "2.2.0"}')

        with pytest.raises(RuntimeError, match=r"has no build_site.py"):
            Frontend(path=tmp_path).files(tmp_path, {}, tmp_path)

    def test_packs_paths_as_urls_have_them(self, tmp_path: Path) -> None:
        (tmp_path / "site/assets").mkdir(parents=True)
        (tmp_path / "site/assets/a.js").touch()

        pack(tmp_path / "site", tmp_path / "site.zip")

        listed = subprocess.run(
            ["python3", "-m", "zipfile", "-l", tmp_path / "site.zip"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "assets/a.js" in listed.stdout


class TestReport:
    @pytest.fixture
    def report(self) -> Report:
        report = Report(versions={"backend": "2.11.4"})
        with report.check("web", "holds") as fact:
            fact.detail = "so"
        with report.check("web", "does not"):
            raise AssertionError("because\nof this")
        with report.check("mail", "cannot be seen"):
            raise Skip("no mail")
        return report

    def test_keeps_the_results(self, report: Report) -> None:
        found = [(one.outcome, one.detail) for one in report.results]

        assert found == [(PASSED, "so"), (FAILED, "because\nof this"), (SKIPPED, "no mail")]

    def test_is_not_ok_after_a_failure(self, report: Report) -> None:
        assert not report.ok
        assert "1 passed, 1 FAILED, 1 not run" in report.summary()
        assert "because\nof this" in report.summary()

    def test_is_not_ok_when_nothing_was_looked_at(self) -> None:
        report = Report()
        with report.check("web", "cannot be seen"):
            raise Skip("nothing")

        assert not report.ok

    def test_is_ok_when_something_holds(self) -> None:
        report = Report()
        with report.check("web", "holds"):
            pass

        assert report.ok

    def test_is_json(self, report: Report) -> None:
        found = json.loads(report.to_json())

        assert found["ok"] is False
        assert found["versions"] == {"backend": "2.11.4"}
        assert [one["fact"] for one in found["results"]] == ["holds", "does not", "cannot be seen"]

    def test_prints_a_line_at_once(
        self, report: Report, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with report.check("web", "x"):
            pass

        assert "passed" in capsys.readouterr().out.splitlines()[-1]


class TestCompatibility:
    DAY = dt.date(2026, 11, 26)

    def cells(self, version: str, *, fails: bool = False) -> list[str]:
        report = Report(versions={"backend": version})
        with report.check("web", "starts"):
            if fails:
                raise AssertionError("no")
        return compatibility.row(report, what="whole tree", library="0.1.0", day=self.DAY)

    @pytest.fixture
    def document(self, tmp_path: Path) -> Path:
        document = tmp_path / "compatibility.md"
        document.write_text(f"Before\n{compatibility.BEGIN}\n{compatibility.END}\nAfter\n")
        return document

    def rows(self, document: Path) -> list[str]:
        lines = [line for line in document.read_text().splitlines() if line.startswith("|")]
        return lines[2:]

    def test_sorts_rows_by_version(self, document: Path) -> None:
        for version in ("3.0.0", "2.11.4", "2.4.1"):
            compatibility.record(document, self.cells(version))

        assert [row.split()[1] for row in self.rows(document)] == ["2.4.1", "2.11.4", "3.0.0"]
        assert document.read_text().startswith("Before\n")
        assert document.read_text().endswith("\nAfter\n")

    def test_replaces_the_row_of_the_same_versions(self, document: Path) -> None:
        compatibility.record(document, self.cells("3.0.0"))
        compatibility.record(document, self.cells("3.0.0", fails=True))

        (row,) = self.rows(document)
        assert "| 0 | 1 (web: starts) | 0 | 2026-11-26 | 0.1.0 |" in row

    def test_refuses_another_document(self, tmp_path: Path) -> None:
        (tmp_path / "other.md").touch()

        with pytest.raises(ValueError, match="has no lines"):
            compatibility.record(tmp_path / "other.md", self.cells("3.0.0"))

    def test_the_document_has_room_for_rows(self) -> None:
        text = (Path(__file__).parents[1] / "docs/compatibility.md").read_text()

        assert text.index(compatibility.BEGIN) < text.index(compatibility.END)


class TestCommand:
    def test_needs_a_backend(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            parser().parse_args([])

        assert "--backend" in capsys.readouterr().err

    def test_says_why_it_cannot_run(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(isolation, "why_not", lambda: "it takes root")

        assert main(["--backend", str(tmp_path)]) == 2
        assert capsys.readouterr().err == "it takes root\n"


def test_a_form_with_a_file() -> None:
    kind, body = multipart({"name": "x"}, "a.bin", b"content")

    boundary = kind.partition("boundary=")[2].encode()
    assert body.count(b"--" + boundary) == 3
    assert body.endswith(b"--" + boundary + b"--\r\n")
    assert b'name="name"\r\n\r\nx\r\n' in body
    assert b'filename="a.bin"' in body


class TestJsonOf:
    def test_finds_it_among_warnings(self) -> None:
        output = '/a/b.py:1: W\n  x = [cmd, \'v\']\n[{"check": "S3", "status": "OK"}]\nmore\n'

        assert json_of(output) == [{"check": "S3", "status": "OK"}]

    def test_refuses_output_without(self) -> None:
        with pytest.raises(AssertionError, match="no JSON in: nothing"):
            json_of("nothing")
