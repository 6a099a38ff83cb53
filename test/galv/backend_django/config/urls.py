"""Routes."""

from django.contrib import admin
from django.urls import path
from galv import views

urlpatterns = [
    path("", views.index),
    path("admin/", admin.site.urls),
    path("arbitrary_files/", views.upload),
    path("arbitrary_files/<int:id>/", views.uploaded),
    path("arbitrary_files/<int:id>/file/", views.download),
    path("cells/<int:id>/rdf/", views.rdf),
    path("fail/", views.fail),
    path("galv_storage/<int:id>/", views.storage),
    path("health/", views.health),
    path("labs/", views.labs),
    path("login/", views.login),
    path("teams/", views.teams),
    path("users/", views.users),
]
