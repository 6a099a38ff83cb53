"""Settings, read from the environment as Galv reads them.

Nothing is more patient here than there: what stops Galv stops this too.
"""

import os
from pathlib import Path

import boto3
import django

from config import release

BASE_DIR = Path(__file__).parent.parent


def words(name: str) -> list[str]:
    """Read a comma list, with every space that is in it."""
    value = os.environ.get(name)
    return value.split(",") if value else []


def is_true(name: str) -> bool:
    """Only this one text is true."""
    return os.environ.get(name) == "True"


SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = is_true("DJANGO_DEBUG")

VIRTUAL_HOST = os.environ["VIRTUAL_HOST"]
ALLOWED_HOSTS = [VIRTUAL_HOST, "localhost", "127.0.0.1"]
if elb_host := os.environ.get("DJANGO_ELB_HOST"):
    ALLOWED_HOSTS.append(elb_host)
ALLOWED_CIDR_NETS = words("DJANGO_ALLOWED_CIDR_NETS")
CORS_ALLOWED_ORIGINS = os.environ["FRONTEND_VIRTUAL_HOST"].split(",")
CSRF_TRUSTED_ORIGINS = [*CORS_ALLOWED_ORIGINS, f"https://{VIRTUAL_HOST}"]
name, _, value = os.environ.get(
    "DJANGO_SECURE_PROXY_SSL_HEADER", "HTTP_X_FORWARDED_PROTO:https"
).partition(":")
SECURE_PROXY_SSL_HEADER = (name, value)

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["POSTGRES_HOST"],
        "PORT": os.environ["POSTGRES_PORT"],
        "USER": os.environ["POSTGRES_USER"],
        "PASSWORD": os.environ["POSTGRES_PASSWORD"],
        "NAME": os.environ.get("POSTGRES_DB", "postgres")
        if release.READS_DATABASE_NAME
        else "postgres",
    }
}

INSTALLED_APPS = [
    "corsheaders",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "galv",
]
MIDDLEWARE = [
    "allow_cidr.middleware.AllowCIDRMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = not DEBUG
STATIC_URL = "/django_static/"
STATIC_ROOT = "/static"
if not release.HAS_ALL_STATIC_FILES:
    _own = Path(django.__file__).parent / "contrib" / "admin" / "static"
    STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    STATICFILES_DIRS = [(name, _own / name) for name in ("admin/css/vendor/select2",)]

# -- Storage ------------------------------------------------------------------------------------
AWS_REGION_NAME = os.environ.get("DJANGO_AWS_S3_REGION_NAME")
AWS_BUCKET_NAME = os.environ.get("DJANGO_AWS_STORAGE_BUCKET_NAME")
AWS_DEFAULT_ACL = os.environ.get("DJANGO_AWS_DEFAULT_ACL", "private")
STORES_ON_S3 = bool(AWS_REGION_NAME and AWS_BUCKET_NAME and AWS_DEFAULT_ACL)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "data": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if STORES_ON_S3:
    # In every process: whoever may not ask STS who he is dies here.
    AWS_ACCOUNT = boto3.client("sts").get_caller_identity()["Account"]
    on_s3 = {
        "region_name": AWS_REGION_NAME,
        "bucket_name": AWS_BUCKET_NAME,
        "default_acl": AWS_DEFAULT_ACL,
        "signature_version": "s3v4",
    }
    backend = "storages.backends.s3.S3Storage"
    if is_true("DJANGO_STORE_MEDIA_FILES_ON_S3"):
        STORAGES["default"] = {"BACKEND": backend, "OPTIONS": {**on_s3, "location": "media"}}
    if is_true("DJANGO_LABS_USE_OUR_S3_STORAGE"):
        STORAGES["data"] = {"BACKEND": backend, "OPTIONS": {**on_s3, "location": "galv_files/data"}}
    if is_true("DJANGO_STORE_STATIC_FILES_ON_S3"):
        options = {**on_s3, "location": "static", "querystring_auth": False}
        if static_bucket := os.environ.get("DJANGO_STATIC_FILES_BUCKET_NAME"):
            options["bucket_name"] = static_bucket
        if cdn := os.environ.get("DJANGO_STATIC_FILES_CDN_DOMAIN"):
            options["custom_domain"] = cdn
        STORAGES["staticfiles"] = {"BACKEND": backend, "OPTIONS": options}
LAB_STORAGE_QUOTA_BYTES = int(os.environ.get("DJANGO_LAB_STORAGE_QUOTA_BYTES", "104857600"))

# -- Mail ---------------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("DJANGO_EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("DJANGO_EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("DJANGO_EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("DJANGO_EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = is_true("DJANGO_EMAIL_USE_TLS")
EMAIL_USE_SSL = is_true("DJANGO_EMAIL_USE_SSL")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("DJANGO_DEFAULT_FROM_EMAIL", "webmaster@localhost")
USER_ACTIVATION_TOKEN_EXPIRY_S = int(
    os.environ.get("DJANGO_USER_ACTIVATION_TOKEN_EXPIRY_S") or 86400
)

# -- Logs ---------------------------------------------------------------------------------------
LOG_DIR = Path(os.environ.get("DJANGO_LOG_DIR", "/var/log/galv"))
LOG_LEVEL = os.environ.get("DJANGO_LOG_LEVEL", "INFO")
LOG_LEVEL_CORE = os.environ.get("DJANGO_LOG_LEVEL_CORE", "INFO")
_to = (
    ["django", "galv"] if not (DEBUG or release.LOGS_TO_CONSOLE) else ["django", "galv", "console"]
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"long": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {
        **{
            name: {
                "class": "logging.handlers.RotatingFileHandler",
                "filename": str(LOG_DIR / f"{name}.log"),
                "maxBytes": 5 << 20,
                "backupCount": 10,
                "formatter": "long",
            }
            for name in ("django", "galv")
        },
        "console": {"class": "logging.StreamHandler", "formatter": "long"},
    },
    "loggers": {
        "django": {
            "handlers": [name for name in _to if name != "galv"],
            "level": LOG_LEVEL_CORE,
            "propagate": False,
        },
        "galv": {
            "handlers": [name for name in _to if name != "django"],
            "level": LOG_LEVEL,
            "propagate": False,
        },
    },
}
