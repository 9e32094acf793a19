/** tempest.conf for a cloud: what it offers is on, what is not ours is off, and Tempest skips it by itself. */
import type { Surroundings } from './surroundings.ts'

type Value = string | number | boolean | readonly string[]
type Sections = Readonly<Record<string, Readonly<Record<string, Value>>>>

/** Tests that no setting turns off. Each is left out for its reason. */
export const excluded: readonly { readonly pattern: string; readonly reason: string }[] = [
  {
    pattern: '^tempest\\.scenario\\.test_unified_limits\\.',
    reason: 'limits of images are registered limits of identity, which are not ours',
  },
  { pattern: '^tempest\\.api\\.compute\\.admin\\.test_agents\\.', reason: 'Nova itself has no os-agents any more' },
  {
    pattern: 'test_reset_network_inject_network_info',
    reason: 'Nova itself has no resetNetwork and injectNetworkInfo any more',
  },
]

const timeoutSeconds = 120
const schedulerFilters = [
  'AvailabilityZoneFilter',
  'ComputeFilter',
  'ComputeCapabilitiesFilter',
  'ImagePropertiesFilter',
  'ServerGroupAntiAffinityFilter',
  'ServerGroupAffinityFilter',
  'SameHostFilter',
  'DifferentHostFilter',
]

function whoAndWhere({
  authUrl,
  password,
  region,
  microversions,
  image,
  imageAlt,
  flavor,
  flavorAlt,
  network,
  hypervisorType,
  hostCount,
}: Surroundings): Sections {
  const endpoint = { endpoint_type: 'public', region }
  return {
    auth: {
      use_dynamic_credentials: true,
      // All projects share one network: there are no routers to give each its own.
      create_isolated_networks: false,
      tempest_roles: 'member',
      default_credentials_domain_name: 'Default',
      admin_username: 'admin',
      admin_password: password,
      admin_project_name: 'admin',
      admin_domain_name: 'Default',
    },
    identity: {
      uri_v3: authUrl,
      auth_version: 'v3',
      region,
      v3_endpoint_type: 'public',
      admin_role: 'admin',
      default_domain_id: 'default',
      admin_domain_scope: false,
    },
    'identity-feature-enabled': { api_v2: false, api_v2_admin: false, api_v3: true, trust: false },
    service_available: { nova: true, glance: true, neutron: true, cinder: false, swift: false, horizon: false },
    compute: {
      ...endpoint,
      image_ref: image.id,
      image_ref_alt: imageAlt.id,
      flavor_ref: flavor.id,
      flavor_ref_alt: flavorAlt.id,
      fixed_network_name: network.name,
      build_interval: 1,
      build_timeout: timeoutSeconds,
      shelved_offload_time: 0,
      min_compute_nodes: hostCount,
      hypervisor_type: hypervisorType,
      min_microversion: microversions.least,
      max_microversion: microversions.most,
    },
    placement: {
      ...endpoint,
      ...(microversions.placement === null
        ? {}
        : { min_microversion: '1.0', max_microversion: microversions.placement }),
    },
  }
}

const computeFeatures: Sections = {
  'compute-feature-enabled': {
    disk_config: true,
    hostname_fqdn_sanitization: true,
    change_password: true,
    console_output: true,
    resize: true,
    pause: true,
    suspend: true,
    shelve: true,
    shelve_migrate: false,
    rescue: true,
    // A disk of its own beside the rescue image is a thing of volumes.
    stable_rescue: false,
    cold_migration: true,
    live_migration: false,
    metadata_service: true,
    vnc_console: false,
    serial_console: false,
    spice_console: false,
    rdp_console: false,
    enable_instance_password: true,
    interface_attach: true,
    snapshot: true,
    nova_cert: false,
    personality: true,
    // A guest has its drive as files, in the directory where cloud-init looks: it may not mount a disk.
    config_drive: false,
    attach_encrypted_volume: false,
    swap_volume: false,
    volume_multiattach: false,
    // The one switch for the tests that write a server's metadata.
    xenapi_apis: true,
    ide_bus: false,
    unified_limits: false,
    scheduler_enabled_filters: schedulerFilters,
  },
}

function imagesAndWires({ region, network, extensions }: Surroundings): Sections {
  const endpoint = { endpoint_type: 'public', region }
  return {
    image: {
      ...endpoint,
      build_timeout: timeoutSeconds,
      build_interval: 1,
      container_formats: ['bare'],
      disk_formats: ['raw'],
      http_image: '',
    },
    'image-feature-enabled': {
      api_v1: false,
      api_v2: true,
      import_image: false,
      os_glance_reserved: false,
      manage_locations: false,
    },
    network: {
      ...endpoint,
      project_network_cidr: '10.100.0.0/16',
      project_network_mask_bits: 28,
      project_networks_reachable: true,
      public_network_id: '',
      floating_network_name: '',
      shared_physical_network: false,
    },
    'network-feature-enabled': {
      ipv6: false,
      ipv6_subnet_attributes: false,
      floating_ips: false,
      port_security: false,
      port_admin_state_change: true,
      api_extensions: extensions,
    },
    validation: {
      run_validation: true,
      connect_method: 'fixed',
      auth_method: 'keypair',
      ip_version_for_ssh: 4,
      image_ssh_user: 'root',
      image_alt_ssh_user: 'root',
      image_ssh_password: 'password',
      ssh_timeout: 60,
      connect_timeout: 30,
      ping_timeout: 60,
      ssh_key_type: 'ecdsa',
      // Root needs no sudo, which Tempest's own prologue would ask for.
      ssh_shell_prologue: 'set -eu -o pipefail; PATH=$PATH:/sbin:/usr/sbin;',
      network_for_ssh: network.name,
      security_group: true,
      security_group_rules: true,
    },
    scenario: { dhcp_client: '' },
    enforce_scope: { nova: false },
  }
}

function shown(value: Value): string {
  const text = Array.isArray(value) ? value.join(',') : String(value)
  // A lone dollar would begin the name of another setting.
  return text.replaceAll('$', '$$$$')
}

/** @param directory where Tempest may write */
export function tempestConfig(surroundings: Surroundings, directory: string): string {
  const sections: Sections = {
    DEFAULT: { log_dir: directory, log_file: 'tempest.log', debug: false, use_stderr: false },
    oslo_concurrency: { lock_path: `${directory}/lock` },
    ...whoAndWhere(surroundings),
    ...computeFeatures,
    ...imagesAndWires(surroundings),
  }
  const text = Object.entries(sections).map(
    ([name, values]) =>
      `[${name}]\n${Object.entries(values)
        .map(([key, value]) => `${key} = ${shown(value)}\n`)
        .join('')}`,
  )
  return text.join('\n')
}
