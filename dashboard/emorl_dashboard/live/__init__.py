"""Loaded models that answer while a visitor moves the weights; no other room loads one."""
