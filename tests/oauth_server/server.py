"""Runs django-oauth-toolkit as the authorization server, and one protected
resource in place of Kroger's cart: a Django project in one file, served by
waitress in many threads. It counts requests, and never changes the toolkit.

    server.py FOLDER refuse|revoke_family|grace [GRACE_SECONDS]

Prints its port on stdout."""

import collections
import json
import pathlib
import socket
import sys
import threading

import django
from django.conf import settings

ACCESS_TOKEN_SECONDS = 5
THREADS = 24
CLIENT_ID, CLIENT_SECRET = "shopper", "an-open-secret"
USER, PASSWORD = "alice", "correct horse battery staple"
REDIRECT_URI = "http://localhost:9004/auth/callback"
CART_SCOPE = "cart.basic:write"

# The ways to treat a used refresh token, as settings of the toolkit.
BEHAVIOURS = {
    "refuse": {"REFRESH_TOKEN_REUSE_PROTECTION": False, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0},
    "revoke_family": {"REFRESH_TOKEN_REUSE_PROTECTION": True, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0},
    "grace": {"REFRESH_TOKEN_REUSE_PROTECTION": False, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 60},
}


def configure(folder, behaviour):
    settings.configure(
        SECRET_KEY="for this machine and this hour only",
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF=__name__,
        LOGIN_URL="/login",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "oauth.sqlite3"),
                # A writer waits for its turn instead of failing half-way.
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                },
                "CONN_MAX_AGE": None,
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "SCOPES": {CART_SCOPE: "Add to the cart", "profile.compact": "Profile", "product.compact": "Products"},
            "ACCESS_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_SECONDS,
            "ROTATE_REFRESH_TOKEN": True,
            "PKCE_REQUIRED": True,
            **BEHAVIOURS[behaviour],
        },
        LOGGING_CONFIG=None,
    )
    django.setup()


class Counts:
    """The requests that the server saw. The driver compares them with its answers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.refreshes = collections.Counter()
        self.other_tokens = collections.Counter()
        self.presented = collections.Counter()
        self.cart = collections.Counter()
        self.added = collections.Counter()

    def token_request(self, form, status):
        with self.lock:
            if form.get("grant_type") != "refresh_token":
                self.other_tokens[f"{form.get('grant_type')} {status}"] += 1
                return
            self.refreshes[status] += 1

    def present(self, refresh_token):
        with self.lock:
            self.presented[hash(refresh_token)] += 1

    def listing(self):
        with self.lock:
            return {
                "refreshes": dict(self.refreshes),
                "other_tokens": dict(self.other_tokens),
                "presented_again": sum(times - 1 for times in self.presented.values()),
                "cart": dict(self.cart),
                "added": dict(self.added),
            }


COUNTS = Counts()


def counted_token_view(view):
    """The toolkit's token endpoint. Counts its requests."""
    from django.views.decorators.csrf import csrf_exempt

    @csrf_exempt
    def token(request):
        if request.POST.get("grant_type") == "refresh_token":
            COUNTS.present(request.POST.get("refresh_token"))
        status = 500
        try:
            response = view(request)
            status = response.status_code
            return response
        finally:
            COUNTS.token_request(request.POST, status)

    return token


def log_in(request):
    """A sign-in page that a script can fill in."""
    from django.contrib.auth import authenticate, login
    from django.http import HttpResponse, HttpResponseRedirect

    if request.method != "POST":
        return HttpResponse("POST username and password here")
    user = authenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    if user is None:
        return HttpResponse(status=403)
    login(request, user)
    return HttpResponseRedirect(request.GET.get("next", "/"))


def add_to_cart(request):
    """A cart that checks only the bearer token."""
    from django.http import HttpResponse, JsonResponse
    from oauth2_provider.oauth2_backends import get_oauthlib_core

    accepted, _ = get_oauthlib_core().verify_request(request, scopes=[CART_SCOPE])
    if not accepted:
        with COUNTS.lock:
            COUNTS.cart[401] += 1
        refusal = {"error": "invalid_token", "error_description": "The access token is invalid or has expired"}
        return JsonResponse(refusal, status=401)
    items = json.loads(request.body)["items"]
    with COUNTS.lock:
        COUNTS.cart[204] += 1
        COUNTS.added.update(item["upc"] for item in items)
    return HttpResponse(status=204)


def counts(_request):
    from django.http import JsonResponse

    return JsonResponse(COUNTS.listing())


def routes():
    """The endpoints, at Kroger's paths and at the toolkit's."""
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt
    from oauth2_provider.views import AuthorizationView, TokenView

    authorize, token = AuthorizationView.as_view(), counted_token_view(TokenView.as_view())
    return [
        path("v1/connect/oauth2/authorize", authorize),
        path("v1/connect/oauth2/token", token),
        path("o/authorize/", authorize),
        path("o/token/", token),
        path("v1/cart/add", csrf_exempt(add_to_cart)),
        path("login", csrf_exempt(log_in)),
        path("_counts", counts),
    ]


def fill_database():
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user(USER, password=PASSWORD)
    get_application_model().objects.create(
        name="kroger-mcp",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        # With a slow hash, the run would measure the hash.
        hash_client_secret=False,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=REDIRECT_URI,
        skip_authorization=True,
    )


def main():
    folder, behaviour = pathlib.Path(sys.argv[1]), sys.argv[2]
    configure(folder, behaviour)
    fill_database()
    # This module is its own URL configuration. Views can be imported only now.
    globals()["urlpatterns"] = routes()
    # Django knows this module by its name, which is `__main__`.
    from django.core.wsgi import get_wsgi_application
    from waitress.server import create_server

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    create_server(get_wsgi_application(), sockets=[listener], threads=THREADS, connection_limit=1000).run()


if __name__ == "__main__":
    main()
