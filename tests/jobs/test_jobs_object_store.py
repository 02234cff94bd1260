"""Objects in a small S3 of our own: what is put in parts is there when the last word is said."""

import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import duckdb
import pytest
from outputs import ENGINE, generations, stage_query, stage_rows, token

import esanalytics as ea
from esanalytics.engines import Plan, Result
from esanalytics.errors import DestinationError
from esanalytics.jobs._destination import destination
from esanalytics.jobs._values import Target

fs = pytest.importorskip("pyarrow.fs")
if not hasattr(fs, "S3FileSystem"):
    pytest.skip("this pyarrow has no S3", allow_module_level=True)


class Bucket(BaseHTTPRequestHandler):
    """Answers what pyarrow asks of S3."""

    protocol_version = "HTTP/1.1"
    objects = {}  # noqa: RUF012  of the test that runs
    uploads = {}  # noqa: RUF012  of the test that runs
    refusing = None

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if "list-type" in self._query:
            self._say(200, b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")
            return
        found = self.objects.get(self._key)
        if found is None:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        body, headers = found
        begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = body[int(begin) : int(end) + 1 if end else None]
        self._say(206 if "Range" in self.headers else 200, part, headers)

    def do_PUT(self):
        body = self._body()
        if self.refusing == self.command:
            self._say(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        elif "uploadId" in self._query:
            self.uploads[self._query["uploadId"]][1][int(self._query["partNumber"])] = body
            self._say(200, b"", {"ETag": '"part"'})
        else:
            self.objects[self._key] = body, self._metadata
            self._say(200, b"", {"ETag": '"whole"'})

    def do_POST(self):
        self._body()
        if self.refusing == self.command:
            self._say(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        elif "uploads" in self._query:
            name = f"upload{len(self.uploads)}"
            self.uploads[name] = self._metadata, {}
            said = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            self._say(200, said.encode())
        else:
            metadata, parts = self.uploads.pop(self._query["uploadId"])
            self.objects[self._key] = b"".join(parts[n] for n in sorted(parts)), metadata
            self._say(200, b"<CompleteMultipartUploadResult/>")

    def do_DELETE(self):
        self.uploads.pop(self._query.get("uploadId"), None)
        self._say(204, b"")

    @property
    def _key(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)

    @property
    def _query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))

    @property
    def _metadata(self):
        return {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked" or "aws-chunked" in self.headers.get(
            "Content-Encoding", ""
        ):
            return self._chunks(self.headers.get("Transfer-Encoding") == "chunked")
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self, chunked):
        raw = b""
        if chunked:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return raw
        whole = b""
        while raw:
            head, _, raw = raw.partition(b"\r\n")
            size = int(head.split(b";")[0], 16)
            if not size:
                break
            whole, raw = whole + raw[:size], raw[size + 2 :]
        return whole

    def _say(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(Bucket, "objects", {})
    monkeypatch.setattr(Bucket, "uploads", {})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"?scheme=http&region=us-east-1&endpoint_override=127.0.0.1%3A{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("name", "rows"), [("x.parquet", 100), ("x.csv", 100), ("x.jsonl.gz", 100), ("x.csv", 1_000_000)]
)
def test_an_object_is_replaced_whole(tmp_path, bucket, name, rows):
    where = Target(f"s3://shop/daily/{name}{bucket}", name.split(".")[1])
    there = destination(where, ENGINE)
    there.check({"id": "VARCHAR"})
    assert there.find(token(1)) is None
    for generation in (1, 2):
        staged = stage_rows(tmp_path / f"{generation}.parquet", generation, rows)
        published = there.publish(staged, token(generation))
    body = Bucket.objects[f"/shop/daily/{name}"][0]
    assert len(body) == published.bytes
    assert Bucket.uploads == {}
    (tmp_path / name).write_bytes(body)
    found = duckdb.sql(f"SELECT id, generation FROM '{tmp_path}/{name}'").fetchall()
    assert generations(found) == {2: rows}


@pytest.mark.parametrize(("command", "rows"), [("POST", 100), ("PUT", 100), ("PUT", 1_000_000)])
def test_an_object_that_is_refused_leaves_the_old_one(tmp_path, bucket, monkeypatch, command, rows):
    where = Target(f"s3://key:secret@shop/x.csv{bucket}", "csv")
    there = destination(where, ENGINE)
    there.publish(stage_rows(tmp_path / "1.parquet", 1), token(1))
    before = dict(Bucket.objects)
    monkeypatch.setattr(Bucket, "refusing", command)
    with pytest.raises(DestinationError, match="let this user write there") as caught:
        there.publish(stage_rows(tmp_path / "2.parquet", 2, rows), token(2))
    assert "secret" not in str(caught.value)
    assert not caught.value.transient
    assert Bucket.objects == before


def test_a_single_export_goes_there_too(bucket):
    result = Result(ENGINE, lambda: Plan("SELECT 1 AS n"))
    assert ea.export(result, f"s3://shop/x.parquet{bucket}").rows == 1
    assert list(Bucket.objects) == ["/shop/x.parquet"]


def test_folders_of_objects_are_refused_with_what_can_be(tmp_path):
    assert stage_query("SELECT 1 AS n", tmp_path / "x.parquet").rows == 1
    with pytest.raises(DestinationError, match="cannot be replaced at once; write one object"):
        destination(Target("s3://shop/x/", "parquet"), ENGINE)


def test_options_that_a_store_does_not_have_are_named():
    there = destination(Target("s3://shop/x.csv?colour=blue", "csv"), ENGINE)
    with pytest.raises(DestinationError, match="scheme://bucket/key"):
        there.check({"id": "VARCHAR"})
