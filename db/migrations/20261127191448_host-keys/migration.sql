CREATE TABLE "ssh_host_keys" (
	"host" text,
	"port" integer,
	"fingerprint" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ssh_host_keys_pkey" PRIMARY KEY("host","port")
);
