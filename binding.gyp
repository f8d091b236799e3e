# For those who build with node-gyp. `npm install` uses scripts/build-addon.mjs, which needs no Python and no download.
{
  "targets": [
    {
      "target_name": "postfork",
      "conditions": [
        [
          "OS=='linux'",
          {
            "sources": ["lib/prefork/addon/postfork.c"],
            "include_dirs": ["<!(node -p \"require('node-api-headers').include_dir\")"],
            "cflags": ["-std=gnu11", "-Wall", "-Wextra", "-O2", "-fvisibility=hidden"],
            "ldflags": ["-Wl,-z,now"]
          },
          {"type": "none"}
        ]
      ]
    }
  ]
}
