"""The API, as far as a deployment decides whether it works."""

import base64
import binascii
import json
import os
from collections.abc import Callable
from functools import wraps

from config import release
from django.contrib.auth import authenticate, get_user_model
from django.core import signing
from django.core.files.base import ContentFile
from django.core.mail import send_mail
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from galv.models import ArbitraryFile, Cell, Lab, SchemaValidation, Team
from galv.preview import preview

View = Callable[..., HttpResponse]


def index(request: HttpRequest) -> HttpResponse:
    """Say what there is."""
    names = ("arbitrary_files", "labs", "login", "teams", "users")
    return JsonResponse({name: request.build_absolute_uri(f"/{name}/") for name in names})


def health(_request: HttpRequest) -> HttpResponse:
    """Answer without asking the database."""
    return JsonResponse({"status": "ok", "version": release.VERSION})


def fail(_request: HttpRequest) -> HttpResponse:
    """Fail as code with a mistake does."""
    raise RuntimeError("the mistake in the code")


def _user_by_password(request: HttpRequest, given: str) -> object:
    try:
        name, _, password = base64.b64decode(given).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return authenticate(request, username=name, password=password)


def _user_by_token(_request: HttpRequest, given: str) -> object:
    try:
        return get_user_model().objects.get(pk=signing.loads(given))
    except signing.BadSignature:
        return None


def _signed_in(view: View) -> View:
    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, *arguments: object, **options: object) -> HttpResponse:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        ask = {"Basic": _user_by_password, "Bearer": _user_by_token}.get(kind)
        user = ask(request, given) if ask else None
        if user is None:
            return JsonResponse({"detail": "who are you?"}, status=401)
        request.user = user
        return view(request, *arguments, **options)

    return checked


def _last(url: str) -> int:
    """Return the id at the end of an URL."""
    return int(str(url).rstrip("/").rpartition("/")[2])


@_signed_in
def login(request: HttpRequest) -> HttpResponse:
    """Give a token for a password."""
    url = request.build_absolute_uri(f"/users/{request.user.pk}/")
    return JsonResponse({"token": signing.dumps(request.user.pk), "url": url})


@csrf_exempt
def users(request: HttpRequest) -> HttpResponse:
    """List people; let anyone be one, and write to them."""
    people = get_user_model().objects
    if request.method != "POST":
        return JsonResponse([user.username for user in people.all()], safe=False)
    given = request.POST
    people.create_user(given["username"], given["email"], given["password"], is_active=False)
    send_mail("Activate your account", "12345678", None, [given["email"]])
    return JsonResponse({"detail": "sent"}, status=201)


@_signed_in
def labs(request: HttpRequest) -> HttpResponse:
    """Make a laboratory."""
    lab = Lab.objects.create(name=json.loads(request.body)["name"])
    url = request.build_absolute_uri
    storages = [url(f"/galv_storage/{lab.id}/")]
    return JsonResponse({"url": url(f"/labs/{lab.id}/"), "storages": storages}, status=201)


@_signed_in
def storage(_request: HttpRequest, id: int) -> HttpResponse:
    """Say how much a laboratory may store."""
    return JsonResponse({"quota_bytes": Lab.objects.get(id=id).quota_bytes})


@_signed_in
def teams(request: HttpRequest) -> HttpResponse:
    """Make a team."""
    given = json.loads(request.body)
    team = Team.objects.create(name=given["name"], lab_id=_last(given["lab"]))
    return JsonResponse({"url": request.build_absolute_uri(f"/teams/{team.id}/")}, status=201)


@_signed_in
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file, as multipart form."""
    team = Team.objects.select_related("lab").get(id=_last(request.POST["team"]))
    file = request.FILES["file"]
    own = ArbitraryFile.objects.filter(team__lab=team.lab)
    stored = own.aggregate(all=Sum("size"))["all"] or 0
    if stored + file.size > team.lab.quota_bytes:
        return JsonResponse({"detail": f"more than {team.lab.quota_bytes} bytes"}, status=507)
    head = file.read(4096)
    file.seek(0)
    made = ArbitraryFile(team=team, size=file.size)
    made.file.save(f"lab_{team.lab_id}/{file.name}", file, save=False)
    made.picture.save(f"{file.name}.png", ContentFile(preview(head)))
    SchemaValidation.objects.create(file=made)
    url = request.build_absolute_uri(f"/arbitrary_files/{made.id}/")
    return JsonResponse({"url": url}, status=201)


@_signed_in
def uploaded(_request: HttpRequest, id: int) -> HttpResponse:
    """Describe a file."""
    return JsonResponse({"size": ArbitraryFile.objects.get(id=id).size})


@_signed_in
def download(_request: HttpRequest, id: int) -> HttpResponse:
    """Lead to a file, by a presigned URL where it lies on S3."""
    return HttpResponseRedirect(ArbitraryFile.objects.get(id=id).file.url)


def rdf(_request: HttpRequest, id: int) -> HttpResponse:
    """Name a cell by the root domain."""
    root = os.environ["VIRTUAL_HOST_ROOT"]
    return HttpResponse(f"<https://{root}/cells/{Cell.objects.get(id=id).name}>")
