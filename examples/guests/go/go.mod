module taskfs.example/guests

go 1.21
